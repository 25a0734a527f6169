"""People approve and answer by HTTP, within their tenant, scope and clearance; the requester finds what came of it, in the usual shape."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from openai.types.chat import ChatCompletion

from router.approvals import Terms, binding_of
from router.budgets import Limits
from router.bundle import Bundle, load_bundle
from router.bundle.files import TenantSpec
from router.contract import Keep, Label, Message, RouteRequest, TextPart, ToolCall
from router.errors import ApprovalNeeded, ToolFailed
from router.testing import MemoryPurse
from router.tools import ToolResult, ToolUse
from serving.api.people import People
from serving.gateway import Waiting
from serving.people.desk import About, PeopleDesk
from serving.people.go_on import GoOn
from serving.people.parked import Parked, PendingCall, Ticket
from tests.serving.conftest import System, an_api_key
from tests.serving.people.clocks import Clocks
from tests.serving.people.kit import Owner

pytestmark = pytest.mark.anyio
STARTER = Path(__file__).parents[3] / "config" / "starter"
TRACE = "a" * 32
TOOL = "refund_eligibility"
ARGUMENTS = '{"order":"A-17"}'
CONFIDENTIAL = Label(level="confidential")
KEYS = [
    an_api_key("app-key", id="app"),
    an_api_key("boss-key", id="boss", scopes=("approve",), approves=True),
    an_api_key("clerk-key", id="clerk", scopes=("approve",), approves=True, clearance="public"),
    an_api_key("ana-key", id="ana", scopes=("answer",)),
    an_api_key("bo-key", id="bo", scopes=("answer",), clearance="public"),
    an_api_key("self-key", id="self", scopes=("chat", "approve"), approves=True),
    an_api_key("plain-key", id="plain", scopes=("approve",)),
    an_api_key("low-key", id="low", clearance="public"),
]
REFUNDS = {
    "id": "refunds",
    "because": "a refund is made once a person has said yes to exactly this one",
    "when": "state_changing",
    "lane": "private",
    "tools": [{"name": "issue_refund", "required": True, "needs_approval": True}],
    "budgets": {"tool_calls": 3},
}
TENANTS = (
    TenantSpec(org="local", clearance="restricted", keys=tuple(KEYS)),
    TenantSpec(org="other", keys=(an_api_key("other-key", id="other", scopes=("chat", "approve", "answer")),)),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The starter bundle with people in it."""
    folder = tmp_path_factory.mktemp("staffed") / "bundle"
    shutil.copytree(STARTER, folder)
    tenants = [tenant.model_dump(mode="json", exclude_defaults=True) for tenant in TENANTS]
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": tenants}))
    routes = yaml.safe_load((folder / "routes.yaml").read_text())["routes"]
    others = [route for route in routes if "state_changing" not in route.get("when", "")]
    (folder / "routes.yaml").write_text(yaml.safe_dump({"routes": [REFUNDS, *others]}, sort_keys=False))
    (folder / "tests.yaml").unlink()
    cases = yaml.safe_load((folder / "boundary/tests.yaml").read_text())
    cases["tests"] = [case for case in cases["tests"] if case.get("org") in {"local", "other"} and "user" not in case]
    (folder / "boundary/tests.yaml").write_text(yaml.safe_dump(cases))
    return load_bundle(folder)


class Refunds:
    """A tool that uses its approval up first, as the real box does, and keeps what it was called with."""

    def __init__(self, desk: PeopleDesk) -> None:
        self.desk, self.uses, self.broken = desk, list[ToolUse](), False

    async def call(self, use: ToolUse) -> ToolResult:
        if use.approval is None:
            raise ApprovalNeeded(use.tool, "a person has to approve it first", use.arguments_json)
        await self.desk.consume_for(use, use.arguments_json)
        self.uses.append(use)
        if self.broken:
            raise ToolFailed(use.tool, "it could not be reached")
        return ToolResult("refunded", None, Label(), "answered", 0.1, use.arguments_sha256, approval=use.approval)


class Office(System):
    """The API with people behind it."""

    def __init__(self, bundle: Bundle, folder: Path, clocks: Clocks) -> None:
        super().__init__(bundle, folder, tenants=TENANTS)
        self.owner = Owner(folder, clocks)
        self.desk = PeopleDesk(self.owner, self.store)
        self.refunds = Refunds(self.desk)
        waiting = Waiting(self.desk, bundle)
        self.gateway = dataclasses.replace(self.gateway, toolbox=self.refunds, people=waiting)
        self.people = People(self.desk, GoOn(self.gateway))
        self.version = dataclasses.replace(self.version, gateway=self.gateway, people=self.people)

    async def says(self, key: str, method: str, address: str, **fields: Any) -> Any:
        async with self.http(f"{key}-key") as http:
            return await http.request(method, address, **fields)

    async def awaits_approval(self, asked_by: str = "app", label: Label = CONFIDENTIAL) -> Ticket:
        asked = Message(role="user", content=(TextPart(text="What is the capital of France?"),))
        called = Message(role="assistant", tool_calls=(ToolCall(id="call_1", name=TOOL, arguments=ARGUMENTS),))
        request = RouteRequest(org="local", messages=(asked, called), model="private", stream=True)
        parked = Parked(request=request, call=PendingCall(tool=TOOL, call_id="call_1", arguments=ARGUMENTS))
        return await self.desk.ask_approval(
            About("local", TRACE, asked_by, label, "high", "it changes something"),
            parked,
            binding_of("local", TRACE, TOOL, ARGUMENTS),
            Terms(asked_by=asked_by, label=label, risk_tier="high"),
        )

    async def awaits_answer(self, label: Label = CONFIDENTIAL, **fields: Any) -> Ticket:
        asked = Message(role="user", content=(TextPart(text="Is my claim covered?"),))
        request = RouteRequest(org="local", messages=(asked,), session=fields.pop("session", None))
        keep = fields.pop("keep", Keep())
        about = About("local", TRACE, "app", label, "high", "the tier asks for a person", keep)
        return await self.desk.escalate(about, Parked(request=request, **fields), "claims", 3600)

    async def came_of(self, ticket: Ticket) -> Any:
        with anyio.fail_after(10):
            while True:
                response = await self.says("app", "GET", f"/v1/requests/{ticket.id}")
                if response.status_code != 202:
                    return response
                await anyio.sleep(0.02)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def office(staffed: Bundle, tmp_path: Path, clocks: Clocks) -> Iterator[Office]:
    made = Office(staffed, tmp_path, clocks)
    yield made
    made.store.close()
    made.owner.close()
    made.keeper.sessions.close()


# ------------------------------------------------------------------ approvals


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refund_that_a_caller_asks_for_waits_for_a_yes_and_is_made_once(
    office: Office, *, stream: bool
) -> None:
    text = "Please refund order ORD-1001 now, amount cents 500"
    asked = {"model": "auto", "messages": [{"role": "user", "content": text}], "stream": stream}
    accepted = await office.says("app", "POST", "/v1/chat/completions", json=asked)
    (waiting,) = (await office.says("boss", "GET", "/v1/approvals")).json()["data"]
    (ticket,) = await office.desk.tickets("local", waiting=True)

    await office.says("boss", "POST", f"/v1/approvals/{waiting['id']}", json={"decision": "grant"})
    came = await office.came_of(ticket)

    assert accepted.status_code == 202
    assert f"/v1/requests/{ticket.id}" in accepted.text
    assert waiting["tool"] == "issue_refund"
    assert [use.arguments_json for use in office.refunds.uses] == ['{"amount_cents":500,"order_id":"ORD-1001"}']
    assert came.json()["choices"][0]["message"]["content"] == "Hello there"
    first = office.store.read(ticket.standing.trace_id)
    assert first is not None
    assert first.finished is not None
    assert (first.finished.ended, first.finished.status) == ("approval", 202)


async def test_a_refund_waits_is_shown_granted_done_once_and_answered(office: Office) -> None:
    ticket = await office.awaits_approval()
    waits = await office.says("app", "GET", f"/v1/requests/{ticket.id}")
    listed = (await office.says("boss", "GET", "/v1/approvals")).json()["data"]
    shown = (await office.says("boss", "GET", f"/v1/approvals/{ticket.standing.approval}")).json()

    granted = await office.says(
        "boss", "POST", f"/v1/approvals/{ticket.standing.approval}", json={"decision": "grant", "because": "fine"}
    )
    came = await office.came_of(ticket)

    assert (waits.status_code, waits.json()["state"], waits.headers["retry-after"]) == (202, "waiting", "2")
    assert [(one["id"], one["arguments"]) for one in listed] == [(ticket.standing.approval, None)]
    assert (shown["tool"], shown["arguments"], shown["asked_by"]) == (TOOL, ARGUMENTS, "app")
    assert granted.json()["state"] == "granted"
    assert ChatCompletion.model_validate(came.json()).choices[0].message.content == "Hello there"
    (use,) = office.refunds.uses
    assert (use.arguments_json, use.approval) == (ARGUMENTS, ticket.standing.approval)
    (call,) = office.lanes["private"].calls
    assert [(message.role, message.origin) for message in call.messages[1:]] == [
        ("assistant", "caller"),
        ("tool", "tool"),
    ]


async def test_the_evidence_of_both_traces_tells_the_story(office: Office) -> None:
    ticket = await office.awaits_approval()
    await office.says("boss", "POST", f"/v1/approvals/{ticket.standing.approval}", json={"decision": "grant"})
    came = await office.came_of(ticket)

    first = office.store.read(TRACE)
    went_on = office.store.read(came.headers["x-lane-trace-id"])
    assert first is not None
    assert went_on is not None
    assert went_on.trace_id != TRACE
    assert [getattr(one, "outcome", "asked") for one in first.approvals] == ["asked", "granted", "used"]
    assert went_on.accepted is not None
    assert (went_on.accepted.org, went_on.accepted.key) == ("local", "app")
    (called,) = went_on.tool_calls
    assert (called.ended, called.approval) == ("ok", ticket.standing.approval)
    assert went_on.finished is not None


async def test_what_the_approved_call_took_of_the_budget_is_on_record_where_it_went_on(office: Office) -> None:
    purse = MemoryPurse(limits=Limits(tool_calls=1))
    planner = dataclasses.replace(office.gateway.planner, purse=purse)
    go_on = GoOn(dataclasses.replace(office.gateway, planner=planner))
    office.version = dataclasses.replace(office.version, people=dataclasses.replace(office.people, go_on=go_on))
    ticket = await office.awaits_approval()

    await office.says("boss", "POST", f"/v1/approvals/{ticket.standing.approval}", json={"decision": "grant"})
    came = await office.came_of(ticket)

    went_on = office.store.read(came.headers["x-lane-trace-id"])
    assert went_on is not None
    assert went_on.spent[0].tool_calls == 1
    assert went_on.tool_calls[0].cost_usd == office.gateway.bundle.tools[TOOL].cost_usd
    assert purse.held == {}


async def test_a_double_click_and_two_replicas_run_it_once(office: Office) -> None:
    ticket = await office.awaits_approval()
    address = f"/v1/approvals/{ticket.standing.approval}"

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(lambda: office.says("boss", "POST", address, json={"decision": "grant"}))
            group.start_soon(office.people.gone_on, "local", ticket.id)
    await office.came_of(ticket)

    assert len(office.refunds.uses) == 1


async def test_a_denied_call_is_not_made_and_the_requester_learns_why(office: Office) -> None:
    ticket = await office.awaits_approval()
    word = {"decision": "deny", "because": "too much"}
    await office.says("boss", "POST", f"/v1/approvals/{ticket.standing.approval}", json=word)

    came = await office.came_of(ticket)

    assert (came.status_code, came.json()["error"]["code"]) == (403, "approval_denied")
    assert "too much" in came.json()["error"]["message"]
    assert office.refunds.uses == []


async def test_nobody_in_time_is_an_answer_of_its_own(office: Office, clocks: Clocks) -> None:
    ticket = await office.awaits_approval()
    clocks.advance(901)

    came = await office.came_of(ticket)
    late = await office.says("boss", "POST", f"/v1/approvals/{ticket.standing.approval}", json={"decision": "grant"})

    assert (came.status_code, came.json()["error"]["code"]) == (410, "approval_expired")
    assert (late.status_code, late.json()["error"]["code"]) == (410, "approval_expired")


async def test_a_tool_that_breaks_after_the_yes_is_told_and_not_tried_again(office: Office) -> None:
    office.refunds.broken = True
    ticket = await office.awaits_approval()
    await office.says("boss", "POST", f"/v1/approvals/{ticket.standing.approval}", json={"decision": "grant"})

    came = await office.came_of(ticket)
    await office.people.gone_on("local", ticket.id)

    assert (came.status_code, came.json()["error"]["code"]) == (502, "tool_failed")
    assert len(office.refunds.uses) == 1


async def test_nothing_is_done_for_a_key_that_is_gone(office: Office) -> None:
    ticket = await office.awaits_approval(asked_by="gone")
    await office.says("boss", "POST", f"/v1/approvals/{ticket.standing.approval}", json={"decision": "grant"})

    came = await office.came_of(ticket)

    assert came.status_code == 401
    assert office.refunds.uses == []


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("app", 403, "not_permitted"),
        ("ana", 403, "not_permitted"),
        ("clerk", 403, "not_permitted"),
        ("plain", 403, "policy_denied"),
        ("other", 404, "approval_not_found"),
        ("nobody", 401, "invalid_api_key"),
    ],
)
async def test_who_may_not_approve_does_not(office: Office, key: str, status: int, code: str) -> None:
    ticket = await office.awaits_approval()

    refused = await office.says(key, "POST", f"/v1/approvals/{ticket.standing.approval}", json={"decision": "grant"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert (await office.desk.look("local", ticket.standing.approval or "")).state == "waiting"


async def test_nobody_approves_their_own_request_but_may_take_it_back(office: Office) -> None:
    ticket = await office.awaits_approval(asked_by="self")
    address = f"/v1/approvals/{ticket.standing.approval}"

    refused = await office.says("self", "POST", address, json={"decision": "grant"})
    taken_back = await office.says("self", "POST", address, json={"decision": "deny"})

    assert refused.status_code == 403
    assert taken_back.json()["state"] == "denied"


async def test_foreign_ids_are_answered_as_those_that_never_were(office: Office) -> None:
    approval, escalation = await office.awaits_approval(), await office.awaits_answer()

    async def told(address: str) -> tuple[int, bytes]:
        response = await office.says("other", "GET", address)
        return response.status_code, response.content

    assert await told(f"/v1/approvals/{approval.standing.approval}") == await told("/v1/approvals/apr_0")
    assert await told(f"/v1/requests/{approval.id}") == await told("/v1/requests/req_0")
    assert await told(f"/v1/escalations/{escalation.id}") == await told("/v1/escalations/req_0")
    assert (await office.says("other", "GET", "/v1/approvals")).json()["data"] == []
    assert (await office.says("other", "GET", "/v1/escalations")).json()["data"] == []


async def test_what_is_above_a_key_s_clearance_is_not_listed(office: Office) -> None:
    await office.awaits_approval()
    await office.awaits_answer()
    await office.awaits_approval(label=Label())

    assert len((await office.says("clerk", "GET", "/v1/approvals")).json()["data"]) == 1
    assert len((await office.says("boss", "GET", "/v1/approvals")).json()["data"]) == 2
    assert (await office.says("bo", "GET", "/v1/escalations")).json()["data"] == []


async def test_another_key_of_the_tenant_sees_a_request_only_as_far_as_its_clearance_reaches(office: Office) -> None:
    ticket, open_to_all = await office.awaits_answer(), await office.awaits_answer(label=Label())

    assert (await office.says("low", "GET", f"/v1/requests/{ticket.id}")).status_code == 404
    assert (await office.says("low", "GET", f"/v1/requests/{open_to_all.id}")).status_code == 202


# ------------------------------------------------------------------ escalations


async def test_a_person_s_answer_reaches_the_requester_in_the_usual_shape(office: Office) -> None:
    ticket = await office.awaits_answer()
    shown = (await office.says("ana", "GET", f"/v1/escalations/{ticket.id}")).json()

    said = await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json={"answer": "Yes, it is."})
    came = await office.came_of(ticket)

    assert shown["messages"] == [{"role": "user", "content": "Is my claim covered?"}]
    assert (shown["queue"], shown["trace_id"]) == ("claims", TRACE)
    assert (said.json()["outcome"], said.json()["settled_by"]) == ("answered", "ana")
    completion = ChatCompletion.model_validate(came.json())
    assert (completion.choices[0].message.content, completion.model) == ("Yes, it is.", "person:claims")
    record = office.store.read(TRACE)
    assert record is not None
    assert "Yes" not in record.model_dump_json()


@pytest.mark.parametrize(
    ("word", "content", "refusal", "outcome"),
    [
        ({"edit": "Yes, with 10% off."}, "Yes, with 10% off.", None, "edited"),
        ({"pass": True}, "Yes.", None, "passed"),
        ({"decline": "We can't say."}, None, "We can't say.", "declined"),
    ],
)
async def test_a_draft_is_edited_passed_or_declined(
    office: Office, word: dict[str, Any], content: str | None, refusal: str | None, outcome: str
) -> None:
    ticket = await office.awaits_answer(draft="Yes.")

    said = await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json=word)
    message = (await office.came_of(ticket)).json()["choices"][0]["message"]

    assert said.json()["outcome"] == outcome
    assert (message["content"], message["refusal"]) == (content, refusal)


async def test_what_a_person_saw_is_shown_settled_where_the_plan_lets_its_text_be_kept(office: Office) -> None:
    gone, kept = await office.awaits_answer(), await office.awaits_answer(keep=Keep(text=True, days=2))
    for ticket in (gone, kept):
        await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json={"answer": "Yes, it is."})

    shown = [await office.says("ana", "GET", f"/v1/escalations/{ticket.id}") for ticket in (gone, kept)]
    again = await office.says("ana", "POST", f"/v1/escalations/{kept.id}", json={"answer": "No."})

    assert [one.status_code for one in shown] == [409, 200]
    body = shown[1].json()
    assert body["messages"] == [{"role": "user", "content": "Is my claim covered?"}]
    assert body["result"]["choices"][0]["message"]["content"] == "Yes, it is."
    assert again.status_code == 409


async def test_the_first_word_counts(office: Office) -> None:
    ticket = await office.awaits_answer()
    await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json={"answer": "Yes."})

    second = await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json={"answer": "No."})

    assert (second.status_code, second.json()["error"]["code"]) == (409, "request_settled")
    assert (await office.came_of(ticket)).json()["choices"][0]["message"]["content"] == "Yes."


@pytest.mark.parametrize(
    "word",
    [
        {},
        {"answer": ""},
        {"answer": "a", "decline": "b"},
        {"pass": False},
        {"edit": "no draft"},
        {"pass": True},
        {"x": 1},
    ],
)
async def test_words_that_say_nothing_or_two_things_are_refused(office: Office, word: dict[str, Any]) -> None:
    ticket = await office.awaits_answer()

    refused = await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json=word)

    assert refused.status_code == 400
    assert (await office.desk.ticket("local", ticket.id))[0].state == "waiting"


async def test_a_person_too_keeps_to_the_output_contract(office: Office) -> None:
    schema = '{"type":"object","required":["covered"],"properties":{"covered":{"type":"boolean"}}}'
    ticket = await office.awaits_answer(json_schema=schema)
    address = f"/v1/escalations/{ticket.id}"

    refused = await office.says("ana", "POST", address, json={"answer": "Yes."})
    kept = await office.says("ana", "POST", address, json={"answer": '{"covered":true}'})

    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "contract_violated")
    assert kept.status_code == 200


async def test_the_conversation_knows_a_person_s_answer_and_its_label(office: Office) -> None:
    ticket = await office.awaits_answer(session="s-1")
    await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json={"answer": "Yes."})

    known = office.keeper.sessions.recall("local", "s-1", [])

    assert known.label.level == "confidential"


async def test_an_answer_that_its_conversation_can_t_keep_is_not_given(office: Office) -> None:
    ticket = await office.awaits_answer(session="s-1")
    office.keeper.gone = True

    refused = await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json={"answer": "Yes."})

    assert refused.status_code == 503
    assert (await office.desk.ticket("local", ticket.id))[0].state == "waiting"


@pytest.mark.parametrize(("key", "status"), [("app", 403), ("boss", 403), ("bo", 403), ("other", 404), ("nobody", 401)])
async def test_who_may_not_answer_neither_sees_nor_does(office: Office, key: str, status: int) -> None:
    ticket = await office.awaits_answer()
    address = f"/v1/escalations/{ticket.id}"

    assert (await office.says(key, "GET", address)).status_code == status
    assert (await office.says(key, "POST", address, json={"answer": "Yes."})).status_code == status


async def test_a_request_that_waits_for_an_approval_is_no_escalation(office: Office) -> None:
    ticket = await office.awaits_approval()

    assert (await office.says("ana", "GET", f"/v1/escalations/{ticket.id}")).status_code == 404
    assert (await office.says("ana", "GET", "/v1/escalations")).json()["data"] == []


async def test_queues_are_told_apart(office: Office) -> None:
    await office.awaits_answer()

    assert len((await office.says("ana", "GET", "/v1/escalations?queue=claims")).json()["data"]) == 1
    assert (await office.says("ana", "GET", "/v1/escalations?queue=legal")).json()["data"] == []


async def test_what_nobody_answered_in_time_is_gone(office: Office, clocks: Clocks) -> None:
    ticket = await office.awaits_answer()
    clocks.advance(3601)

    assert (await office.says("ana", "GET", f"/v1/escalations/{ticket.id}")).status_code == 409
    gone = await office.says("app", "GET", f"/v1/requests/{ticket.id}")
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "request_expired")


async def test_without_the_keeper_people_say_nothing(office: Office) -> None:
    ticket = await office.awaits_answer()
    office.owner.gone = True

    said = await office.says("ana", "POST", f"/v1/escalations/{ticket.id}", json={"answer": "Yes."})
    asked = await office.says("app", "GET", f"/v1/requests/{ticket.id}")

    assert (said.status_code, asked.status_code) == (503, 503)


async def test_where_nothing_can_wait_the_addresses_say_so(system: System) -> None:
    async with system.http() as http:
        assert (await http.get("/v1/requests/req_1")).status_code == 503
