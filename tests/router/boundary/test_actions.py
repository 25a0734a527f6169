"""The starter's policies, action by action: who may send, call, look up, keep and approve what?"""

from dataclasses import replace

import pytest

from router.boundary import (
    ApproveQuestion,
    Boundary,
    House,
    Question,
    RetrieveQuestion,
    SendQuestion,
    StoreQuestion,
    ToolQuestion,
)
from router.bundle import load_bundle
from router.bundle.files import ApiKey, Hosted, IndexSpec, LaneSpec, StoreSpec, TenantSpec, ToolFile
from router.contract import Label
from tests.router.conftest import STARTER

EU = Label(jurisdictions=("EU",))
HEALTH = Label(level="restricted", categories=("health",))
SECRET = Label(level="confidential")


def a_tool(name: str, **fields: object) -> ToolFile:
    required = {"name": name, "description": "", "side_effect": "read", "parameters": {}}
    return ToolFile.model_validate(required | {"reaches_outside": False, "jurisdictions": ("EU", "US")} | fields)


HOSTED = Hosted(provider="openai", base_url="https://elsewhere.example/v1", model="big", api_key_env="KEY", region="us")
HOUSE = House(
    lanes=[
        LaneSpec(name="berlin", model="small", region="berlin", jurisdictions=("EU",)),
        LaneSpec(name="ohio", model="small", region="ohio", jurisdictions=("US",)),
        LaneSpec(name="away", hosted=HOSTED, jurisdictions=("US",)),
    ],
    tenants=[
        TenantSpec(org="acme", clearance="confidential", keys=(
            ApiKey(id="anna", minted=True, approves=True),
            ApiKey(id="ben", minted=True, approves=True, clearance="internal"),
            ApiKey(id="cara", minted=True),
        )),
        TenantSpec(org="visitors", clearance="public"),
    ],
    tools=[
        a_tool("look_up"),
        a_tool("change", side_effect="write"),
        a_tool("weather", reaches_outside=True, jurisdictions=("US",)),
    ],
    indexes=[
        IndexSpec(name="help", jurisdictions=("EU", "US")),
        IndexSpec(name="staff", label=Label(level="confidential", categories=("employment",)), jurisdictions=("EU",)),
    ],
    stores=[StoreSpec(name="evidence", jurisdictions=("EU",)), StoreSpec(name="scratch", jurisdictions=("EU",))],
)  # fmt: skip


@pytest.fixture(scope="module")
def boundary() -> Boundary:
    starter = load_bundle(STARTER).boundary
    return Boundary(starter.policies_text, starter.schema_text, HOUSE)


def tool(name: str, label: Label = Label(), **changes: object) -> ToolQuestion:  # noqa: B008
    return replace(ToolQuestion("acme", name, label, "low"), **changes)  # type: ignore[arg-type]


def retrieve(index: str, org: str = "acme", label: Label = Label()) -> RetrieveQuestion:  # noqa: B008
    return RetrieveQuestion(org, index, label, "low")


def approve(user: str, label: Label = Label(), **changes: object) -> ApproveQuestion:  # noqa: B008
    return replace(ApproveQuestion("acme", user, "Lane", "away", label, "high"), **changes)  # type: ignore[arg-type]


CASES: list[tuple[str, Question, bool, str]] = [
    ("an EU text runs on the EU's node", SendQuestion("acme", "berlin", EU, "low"), True, "private-lanes-are-home"),
    ("an EU text runs on no node of ours elsewhere", SendQuestion("acme", "ohio", EU, "low"), False, "residency"),
    ("what is left after redaction may leave", SendQuestion("acme", "away", Label(), "low", redacted=("pii",)), True, "unsensitive-may-leave"),
    ("our own tool takes anything", tool("look_up", HEALTH), True, "own-tools-may-be-called"),
    ("a tool outside takes what may leave", tool("weather"), True, "unsensitive-may-reach-a-tool-outside"),
    ("a tool outside gets nothing protected", tool("weather", HEALTH), False, "protected-data-reaches-no-tool-outside"),
    ("a tool elsewhere gets nothing under EU law", tool("weather", EU), False, "tool-residency"),
    ("an attack changes nothing", tool("change", attack="flagged"), False, "no-tool-under-attack"),
    ("a suspicion changes nothing either way", tool("change", attack="suspected"), True, "own-tools-may-be-called"),
    ("an attack reaches nothing outside", tool("weather", attack="flagged"), False, "no-tool-under-attack"),
    ("a public index is for everyone", retrieve("help", "visitors"), True, "cleared-may-retrieve"),
    ("a confidential index is for the cleared", retrieve("staff"), True, "cleared-may-retrieve"),
    ("and not for the others", retrieve("staff", "visitors"), False, "default-deny"),
    ("a query under US law stays out of an EU index", retrieve("staff", label=Label(jurisdictions=("US",))), False, "index-residency"),
    ("evidence rests under its own law", StoreQuestion("acme", "evidence", EU), True, "evidence-is-kept"),
    ("evidence rests under no other", StoreQuestion("acme", "evidence", Label(jurisdictions=("US",))), False, "store-residency"),
    ("evidence rests nowhere else", StoreQuestion("acme", "scratch", EU), False, "default-deny"),
    ("an approver approves what they are cleared for", approve("anna", SECRET), True, "approvers-approve"),
    ("an approver approves nothing above", approve("ben", SECRET), False, "default-deny"),
    ("whoever is no approver approves nothing", approve("cara"), False, "default-deny"),
    ("nobody approves their own", approve("anna", own=True), False, "nobody-approves-their-own"),
    ("a tool's call is approved likewise", approve("anna", kind="Tool", name="change"), True, "approvers-approve"),
    ("a stranger approves nothing", approve("zoe"), False, "boundary-error"),
    ("there is no such tool", tool("missile"), False, "boundary-error"),
    ("there is no such index", retrieve("diaries"), False, "boundary-error"),
    ("there is no such store", StoreQuestion("acme", "attic", Label()), False, "boundary-error"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "allowed", "by"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_starter_answers(boundary: Boundary, question: Question, allowed: bool, by: str) -> None:
    (verdict,) = boundary.ask([question])

    assert verdict.allowed is allowed
    assert by in [policy.id for policy in verdict.policies]
    assert all(policy.because for policy in verdict.policies)


def test_a_clearance_of_a_key_never_exceeds_the_tenants() -> None:
    starter = load_bundle(STARTER).boundary
    keys = (ApiKey(id="anna", minted=True, approves=True, clearance="restricted"),)
    house = replace(HOUSE, tenants=[TenantSpec(org="acme", clearance="public", keys=keys)])

    verdict = Boundary(starter.policies_text, starter.schema_text, house).may_approve(approve("anna", SECRET))

    assert not verdict.allowed


def test_a_keys_clearance_is_the_lower_of_both_by_height_not_by_name() -> None:
    starter = load_bundle(STARTER).boundary
    keys = (ApiKey(id="anna", minted=True, approves=True, clearance="confidential"),)
    house = replace(HOUSE, tenants=[TenantSpec(org="acme", clearance="internal", keys=keys)])
    cleared = Boundary(starter.policies_text, starter.schema_text, house)

    assert cleared.may_approve(approve("anna", Label(level="internal"))).allowed
    assert not cleared.may_approve(approve("anna", Label(level="confidential"))).allowed


def test_other_policies_over_the_same_house_are_another_boundary(boundary: Boundary) -> None:
    closed = boundary.with_policies('@id("none") @reason("closed") forbid (principal, action, resource);')

    assert boundary.may_call_tool(tool("look_up")).allowed
    assert not closed.may_call_tool(tool("look_up")).allowed
