"""How is a question answered? By Cedar, over the bundle's policies and entities, parsed once; any doubt is a no.

Cedar skips a policy that errors, a forbid too, so here the schema is always given and any error in the diagnostics denies.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cedarpy import AuthzResult, Entities, PolicySet, Schema, is_authorized_batch

from router.boundary.house import House, entities_of
from router.boundary.policies import read_policies
from router.boundary.question import (
    ApproveQuestion,
    Question,
    RetrieveQuestion,
    SendQuestion,
    StoreQuestion,
    ToolQuestion,
    authorization_request,
)
from router.boundary.vocabulary import Json, Vocabulary
from router.contract import PolicyFired
from router.errors import BundleInvalid

BOUNDARY_ERROR: Final = "boundary-error"
DEFAULT_DENY: Final = "default-deny"
_KEPT_VERDICTS: Final = 8192


@dataclass(frozen=True, slots=True)
class Verdict:
    """The boundary's answer with its reasons: the permits of a yes, the forbids of a no."""

    allowed: bool
    policies: tuple[PolicyFired, ...]

    @property
    def because(self) -> str:
        """The reasons in words."""
        return "; ".join(policy.because for policy in self.policies)


class Boundary:
    """The bundle's Cedar policies over its tenants, lanes, tools, indexes and stores, parsed once.

    INVARIANT: a verdict is a function of its question; the kept verdicts only spare the second evaluation.
    """

    __slots__ = (
        "_entities",
        "_house",
        "_kept",
        "_known",
        "_named",
        "_policies",
        "_schema",
        "_vocabulary",
        "policies_text",
        "schema_text",
    )

    def __init__(self, policies: str, schema: str, house: House) -> None:
        """Parse it all. Raises `BundleInvalid` when policies, schema or the house's attributes don't fit each other."""
        self.policies_text, self.schema_text = policies, schema
        self._house = house
        self._vocabulary = Vocabulary.of(schema)
        self._kept: dict[Question, Verdict] = {}
        entities = entities_of(house, self._vocabulary)
        self._known = frozenset((entity["uid"]["type"], entity["uid"]["id"]) for entity in entities)
        try:
            self._schema = Schema.from_str(schema)
            self._policies = PolicySet.from_str(policies)
            self._entities = Entities.from_json_str(json.dumps(entities), self._schema)
            self._named = {policy.number: policy.fired() for policy in read_policies(policies)}
        except ValueError as error:
            raise BundleInvalid(f"boundary: {error}") from error

    def may_send(self, question: SendQuestion) -> Verdict:
        """Tell whether a text may go to a lane, and which policies say so."""
        return self._answer(question)

    def may_call_tool(self, question: ToolQuestion) -> Verdict:
        """Tell whether a tool may be called."""
        return self._answer(question)

    def may_retrieve(self, question: RetrieveQuestion) -> Verdict:
        """Tell whether an index may be read."""
        return self._answer(question)

    def may_store(self, question: StoreQuestion) -> Verdict:
        """Tell whether what is kept of a request may rest in a store."""
        return self._answer(question)

    def may_approve(self, question: ApproveQuestion) -> Verdict:
        """Tell whether this person's yes counts."""
        return self._answer(question)

    def settle(self, questions: Iterable[Question]) -> None:
        """Ask many questions at once (a quarter of the time each) and keep their verdicts."""
        asked = list(questions)
        for question, verdict in zip(asked, self.ask(asked), strict=True):
            self._keep(question, verdict)

    def ask(self, questions: Sequence[Question]) -> list[Verdict]:
        """Answer many questions in their order and keep none of the verdicts: for who asks them all."""
        requests = [authorization_request(question, self._vocabulary) for question in questions]
        answers = is_authorized_batch(requests, self._policies, self._entities, self._schema)
        return [self._verdict(request, answer) for request, answer in zip(requests, answers, strict=True)]

    def with_policies(self, policies: str) -> "Boundary":
        """Return the same schema and house under other policies. Raises `BundleInvalid` when they do not parse."""
        return Boundary(policies, self.schema_text, self._house)

    def _answer(self, question: Question) -> Verdict:
        verdict = self._kept.get(question)
        if verdict is None:
            (verdict,) = self.ask([question])
            self._keep(question, verdict)
        return verdict

    def _keep(self, question: Question, verdict: Verdict) -> None:
        if len(self._kept) >= _KEPT_VERDICTS:
            self._kept.clear()
        self._kept[question] = verdict

    def _verdict(self, request: Json, answer: AuthzResult) -> Verdict:
        for named in (request["principal"], request["resource"]):
            if (named["type"], named["id"]) not in self._known:
                # Cedar answers for entities it never heard of, by permits that don't look at them.
                return _no(BOUNDARY_ERROR, f"the bundle has no {named['type'].lower()} `{named['id']}`")
        if answer.diagnostics.errors:
            return _no(BOUNDARY_ERROR, sorted(answer.diagnostics.errors)[0])
        fired = sorted((self._named[number] for number in answer.diagnostics.reasons), key=lambda policy: policy.id)
        if not fired:
            action, resource = request["action"]["id"], request["resource"]
            return _no(DEFAULT_DENY, f"no policy permits {action} to {resource['type'].lower()} {resource['id']} here")
        return Verdict(allowed=bool(answer.allowed), policies=tuple(fired))


def _no(policy: str, because: str) -> Verdict:
    return Verdict(allowed=False, policies=(PolicyFired(id=policy, effect="default_deny", because=because),))
