"""May a text with this label be sent to this lane? Deny by default; a rule that can't be evaluated denies.

Cedar answers. It skips a policy that errors, a forbid too, so here the schema is always given and any error in the diagnostics denies.
The question is finite (every name in it is one of an enumeration in the schema), so a verdict is a finite function and is kept.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cedarpy import AuthzResult, Entities, PolicySet, Schema, is_authorized_batch, policies_to_json_str

from router.contract import Effect, Label, PolicyFired, RiskTier
from router.errors import BundleInvalid

UNKNOWN: Final = "unknown"
"""What a name that the schema does not list is called inside Cedar. No lane is ever cleared for it."""
BOUNDARY_ERROR: Final = "boundary-error"
DEFAULT_DENY: Final = "default-deny"
_KEPT_VERDICTS: Final = 8192


class HostedFacts(Protocol):
    """What the boundary knows of a hosted lane's other end."""

    @property
    def provider(self) -> str: ...
    @property
    def region(self) -> str: ...


class LaneFacts(Protocol):
    """What the boundary knows of a lane; `router.bundle.files.LaneSpec` has it."""

    @property
    def name(self) -> str: ...
    @property
    def hosted(self) -> HostedFacts | None: ...
    @property
    def jurisdictions(self) -> tuple[str, ...]: ...
    @property
    def cleared_for(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """The boundary's answer with its reasons: the permits of a yes, the forbids of a no."""

    allowed: bool
    policies: tuple[PolicyFired, ...]


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A Cedar policy as an auditor names it: Cedar's own number for it, its `@id`, its `@reason`, its effect."""

    number: str
    id: str | None
    reason: str | None
    effect: Effect


def read_policies(text: str) -> tuple[PolicyText, ...]:
    """List the policies of some Cedar text in its order. Raises ValueError when it does not parse."""
    found = json.loads(policies_to_json_str(text))["staticPolicies"]
    policies = [
        PolicyText(
            number,
            policy.get("annotations", {}).get("id"),
            policy.get("annotations", {}).get("reason"),
            policy["effect"],
        )
        for number, policy in found.items()
    ]
    return tuple(sorted(policies, key=lambda policy: int(policy.number.removeprefix("policy"))))


def enumerated(schema: str, entity: str) -> frozenset[str]:
    """Return the names that a Cedar schema lists for an enumerated entity type; none if it does not enumerate it."""
    listed = re.search(rf"\bentity\s+{entity}\s+enum\s*\[([^\]]*)\]", re.sub(r"//[^\n]*", "", schema))
    return frozenset(re.findall(r'"([^"]*)"', listed[1])) if listed else frozenset()


_Question = tuple[str, str, Label, RiskTier]


class Boundary:
    """The bundle's Cedar policies over its lanes and tenants, parsed once.

    INVARIANT: `may_send` is a function of its arguments; the kept verdicts only spare the second evaluation.
    """

    __slots__ = (
        "_categories",
        "_entities",
        "_facts",
        "_jurisdictions",
        "_kept",
        "_lanes",
        "_named",
        "_orgs",
        "_policies",
        "_schema",
        "policies_text",
        "schema_text",
    )

    def __init__(self, policies: str, schema: str, lanes: Iterable[LaneFacts], tenants: Iterable[str]) -> None:
        """Parse it all. Raises `BundleInvalid` when policies, schema or the lanes' attributes don't fit each other."""
        known = tuple(lanes)
        self.policies_text = policies
        self.schema_text = schema
        self._categories = enumerated(schema, "Category")
        self._jurisdictions = enumerated(schema, "Jurisdiction")
        self._facts = known
        self._lanes = frozenset(lane.name for lane in known)
        self._orgs = frozenset(tenants)
        self._kept: dict[_Question, Verdict] = {}
        entities = [self._lane_entity(lane) for lane in known]
        entities += [{"uid": _uid("Tenant", org), "attrs": {}, "parents": []} for org in sorted(self._orgs)]
        try:
            self._schema = Schema.from_str(schema)
            self._policies = PolicySet.from_str(policies)
            self._entities = Entities.from_json_str(json.dumps(entities), self._schema)
            self._named: Mapping[str, PolicyText] = {policy.number: policy for policy in read_policies(policies)}
        except ValueError as error:
            raise BundleInvalid(f"boundary: {error}") from error

    def may_send(self, org: str, lane: LaneFacts, label: Label, tier: RiskTier) -> Verdict:
        """Tell whether a text with this label may go to this lane for this tenant, and which policies say so."""
        question = (org, lane.name, label, tier)
        verdict = self._kept.get(question)
        if verdict is None:
            (verdict,) = self._ask([question])
            self._keep(question, verdict)
        return verdict

    def settle(self, questions: Iterable[tuple[str, LaneFacts, Label, RiskTier]]) -> None:
        """Ask many questions at once (a quarter of the time each) and keep their verdicts for `may_send`."""
        asked = [(org, lane.name, label, tier) for org, lane, label, tier in questions]
        for question, verdict in zip(asked, self._ask(asked), strict=True):
            self._keep(question, verdict)

    def ask(self, questions: Iterable[tuple[str, LaneFacts, Label, RiskTier]]) -> list[Verdict]:
        """Answer many questions, one after the other, and keep none of them: for who asks them all (`router.bundle.verdicts`)."""
        return self._ask([(org, lane.name, label, tier) for org, lane, label, tier in questions])

    def with_policies(self, policies: str) -> "Boundary":
        """Return the same schema, lanes and tenants under other policies. Raises `BundleInvalid` when they do not parse."""
        return Boundary(policies, self.schema_text, self._facts, self._orgs)

    def _keep(self, question: _Question, verdict: Verdict) -> None:
        if len(self._kept) >= _KEPT_VERDICTS:
            self._kept.clear()
        self._kept[question] = verdict

    def _ask(self, questions: Sequence[_Question]) -> list[Verdict]:
        answers = is_authorized_batch(
            [self._request(question) for question in questions], self._policies, self._entities, self._schema
        )
        return [self._verdict(question, answer) for question, answer in zip(questions, answers, strict=True)]

    def _request(self, question: _Question) -> dict[str, object]:
        org, lane, label, tier = question
        context = {
            "level": _entity("Level", label.level),
            "categories": [_entity("Category", name) for name in _listed(label.categories, self._categories)],
            "jurisdictions": [
                _entity("Jurisdiction", name) for name in _listed(label.jurisdictions, self._jurisdictions)
            ],
            "risk_tier": _entity("RiskTier", tier),
        }
        return {
            "principal": _uid("Tenant", org),
            "action": _uid("Action", "send"),
            "resource": _uid("Lane", lane),
            "context": context,
        }

    def _verdict(self, question: _Question, answer: AuthzResult) -> Verdict:
        org, lane, _, _ = question
        if org not in self._orgs or lane not in self._lanes:
            # Cedar answers for entities it never heard of, by permits that don't look at them.
            return _deny_with_error(f"{org} or {lane} is not in the bundle")
        if answer.diagnostics.errors:
            return _deny_with_error(sorted(answer.diagnostics.errors)[0])
        fired = tuple(
            sorted((self._fired(number) for number in answer.diagnostics.reasons), key=lambda policy: policy.id)
        )
        if not fired:
            because = f"no policy permits lane {lane} for this label"
            return Verdict(
                allowed=False, policies=(PolicyFired(id=DEFAULT_DENY, effect="default_deny", because=because),)
            )
        return Verdict(allowed=bool(answer.allowed), policies=fired)

    def _fired(self, number: str) -> PolicyFired:
        policy = self._named[number]
        return PolicyFired(id=policy.id or number, effect=policy.effect, because=policy.reason or "no reason given")

    def _lane_entity(self, lane: LaneFacts) -> dict[str, object]:
        """A lane as Cedar sees it. Names the schema does not list are dropped: here, unlike in a label, less is safer."""
        attributes = {
            "hosted": lane.hosted is not None,
            "provider": lane.hosted.provider if lane.hosted is not None else "",
            "region": lane.hosted.region if lane.hosted is not None else "",
            "jurisdictions": [
                _entity("Jurisdiction", name) for name in lane.jurisdictions if name in self._jurisdictions - {UNKNOWN}
            ],
            "cleared_for": [
                _entity("Category", name) for name in lane.cleared_for if name in self._categories - {UNKNOWN}
            ],
        }
        return {"uid": _uid("Lane", lane.name), "attrs": attributes, "parents": []}


def _listed(names: tuple[str, ...], known: frozenset[str]) -> list[str]:
    return sorted({name if name in known else UNKNOWN for name in names})


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _entity(kind: str, name: str) -> dict[str, dict[str, str]]:
    return {"__entity": _uid(kind, name)}


def _deny_with_error(because: str) -> Verdict:
    return Verdict(allowed=False, policies=(PolicyFired(id=BOUNDARY_ERROR, effect="default_deny", because=because),))
