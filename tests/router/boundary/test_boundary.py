from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.boundary import (
    Boundary,
    House,
    SendQuestion,
    Verdict,
)
from router.contract import LEVELS, RISK_TIERS, Label
from router.errors import BundleInvalid

SCHEMA = Path("config/starter/boundary/schema.cedarschema").read_text()
PERMIT_ALL = '@id("all") @reason("everything") permit (principal, action, resource);'
NOT_RESTRICTED = (
    '@id("no-restricted") @reason("restricted stays") forbid (principal, action == Action::"send", resource) '
    'when { resource.hosted && context.level == Level::"restricted" };'
)
CLEARED = (
    '@id("cleared") @reason("not cleared") forbid (principal, action == Action::"send", resource) when { resource.hosted } '
    "unless { resource.cleared_for.containsAll(context.categories) };"
)
RESIDENCY = (
    '@id("residency") @reason("wrong place") forbid (principal, action == Action::"send", resource) when { resource.hosted } '
    "unless { resource.jurisdictions.containsAll(context.jurisdictions) };"
)


@dataclass(frozen=True)
class OtherEnd:
    provider: str = "someone"


@dataclass(frozen=True)
class ALane:
    name: str
    hosted: Any = None
    jurisdictions: tuple[str, ...] = ()
    cleared_for: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    where: str = "us"


@dataclass(frozen=True)
class AKey:
    id: str
    clearance: Any = None
    approves: bool = False


@dataclass(frozen=True)
class ATenant:
    org: str
    clearance: Any = "internal"
    keys: tuple[AKey, ...] = ()


HOME = ALane("home")
AWAY = ALane("away", OtherEnd(), ("US",), ("pii",))
LANES = (HOME, AWAY)

labels = st.builds(
    Label,
    level=st.sampled_from(LEVELS),
    categories=st.lists(st.sampled_from(["pii", "health", "unheard-of"])).map(tuple),
    jurisdictions=st.lists(st.sampled_from(["EU", "US", "Atlantis"])).map(tuple),
)
tiers = st.sampled_from(RISK_TIERS)


@lru_cache
def boundary(*policies: str) -> Boundary:
    return Boundary("\n".join(policies), SCHEMA, House(LANES, [ATenant("org")]))


PUBLIC = Label()


def send(label: Label = PUBLIC, lane: ALane = AWAY, org: str = "org", tier: Any = "low") -> SendQuestion:
    return SendQuestion(org, lane.name, label, tier)


def test_nothing_is_allowed_that_no_policy_permits() -> None:
    verdict = boundary(NOT_RESTRICTED).may_send(send(Label(), AWAY))

    assert not verdict.allowed
    assert [(policy.id, policy.effect) for policy in verdict.policies] == [("default-deny", "default_deny")]


def test_a_permit_is_named_with_its_reason() -> None:
    verdict = boundary(PERMIT_ALL).may_send(send(Label(), AWAY))

    assert verdict.allowed
    assert [(policy.id, policy.effect, policy.because) for policy in verdict.policies] == [
        ("all", "permit", "everything")
    ]


def test_one_forbid_outweighs_every_permit_and_is_named_alone() -> None:
    verdict = boundary(PERMIT_ALL, NOT_RESTRICTED).may_send(send(Label(level="restricted"), AWAY))

    assert not verdict.allowed
    assert [(policy.id, policy.effect) for policy in verdict.policies] == [("no-restricted", "forbid")]


def test_a_forbid_that_errors_denies_instead_of_being_skipped() -> None:
    overflows = (
        '@id("broken") @reason("r") forbid (principal, action == Action::"send", resource) '
        "when { 9223372036854775807 + 1 == 0 && resource.hosted };"
    )

    verdict = boundary(PERMIT_ALL, overflows).may_send(send(Label(), HOME))

    assert not verdict.allowed
    assert verdict.policies[0].id == "boundary-error"
    assert "overflow" in verdict.policies[0].because


def test_a_level_the_schema_does_not_know_is_an_error_and_denies() -> None:
    without_internal = SCHEMA.replace('"internal", ', "")

    verdict = Boundary(PERMIT_ALL, without_internal, House(LANES, [ATenant("org", "public")])).may_send(
        send(Label(level="internal"), HOME)
    )

    assert not verdict.allowed
    assert verdict.policies[0].id == "boundary-error"


@pytest.mark.parametrize(("org", "lane"), [("stranger", HOME), ("org", ALane("elsewhere"))])
def test_a_tenant_or_lane_that_the_bundle_does_not_have_gets_nothing(org: str, lane: ALane) -> None:
    verdict = boundary(PERMIT_ALL).may_send(send(Label(), lane, org))

    assert not verdict.allowed
    assert verdict.policies[0].id == "boundary-error"


def test_a_category_that_the_schema_does_not_list_is_never_cleared() -> None:
    assert boundary(PERMIT_ALL, CLEARED).may_send(send(Label(categories=("pii",)), AWAY)).allowed
    assert not boundary(PERMIT_ALL, CLEARED).may_send(send(Label(categories=("genome",)), AWAY)).allowed


def test_a_lane_can_not_clear_itself_for_what_the_schema_does_not_list() -> None:
    lanes = (ALane("away", OtherEnd(), ("Atlantis", "unknown"), ("genome", "unknown")),)
    policed = Boundary("\n".join([PERMIT_ALL, CLEARED, RESIDENCY]), SCHEMA, House(lanes, [ATenant("org")]))

    assert not policed.may_send(send(Label(categories=("genome",)), lanes[0])).allowed
    assert not policed.may_send(send(Label(jurisdictions=("Atlantis",)), lanes[0])).allowed


@given(label=labels, tier=tiers, lane=st.sampled_from(LANES))
def test_adding_a_forbid_never_opens_a_lane(label: Label, tier: Any, lane: ALane) -> None:
    before, after = boundary(PERMIT_ALL, CLEARED), boundary(PERMIT_ALL, CLEARED, RESIDENCY)

    assert (
        before.may_send(send(label, lane, tier=tier)).allowed
        or not after.may_send(send(label, lane, tier=tier)).allowed
    )


@given(label=labels, tier=tiers)
def test_many_questions_at_once_get_the_same_verdicts_as_one_by_one(label: Label, tier: Any) -> None:
    at_once, one_by_one = boundary(PERMIT_ALL, RESIDENCY), boundary(PERMIT_ALL, RESIDENCY)

    at_once.settle([send(label, lane, tier=tier) for lane in LANES])

    def verdicts(policed: Boundary) -> list[Verdict]:
        return [policed.may_send(send(label, lane, tier=tier)) for lane in LANES]

    assert verdicts(at_once) == verdicts(one_by_one)


def test_policies_that_do_not_parse_make_no_boundary() -> None:
    with pytest.raises(BundleInvalid, match="boundary"):
        boundary("permit (principal, action)")
