"""The route of the article runs for real: a help centre, tools, a schema, evidence; and a refund stops for a person."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from router.contract import Evidence
from router.validate import validate_answer
from tests.e2e.systems import lane

pytestmark = pytest.mark.e2e
SCHEMA = (Path(__file__).parents[2] / "config" / "starter" / "contracts" / "SupportAnswerV3.json").read_text()


@pytest.fixture(scope="module")
def client(system: Any) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{system.address}/v1", api_key=system.key("local/default"), max_retries=0) as made:
        yield made


def asked(client: OpenAI, text: str) -> tuple[Any, str]:
    """The answer to a question, and its trace ID."""
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": text}])
    return raw.parse(), str(raw.headers["x-lane-trace-id"])


def evidence_of(system: Any, trace_id: str) -> Evidence:
    headers = {"authorization": f"Bearer {system.key('local/default')}"}
    return Evidence.model_validate_json(
        httpx2.get(f"{system.address}/v1/evidence/{trace_id}", headers=headers, trust_env=False).content
    )


def test_a_question_about_refunds_is_answered_from_the_help_centre_in_the_contract_s_shape(
    system: Any, client: OpenAI
) -> None:
    answer, trace_id = asked(client, "What is your refund policy?")
    record = evidence_of(system, trace_id)

    assert validate_answer(answer.choices[0].message.content, SCHEMA).valid
    decision = record.decisions[0].decision
    assert (decision.route, decision.lane) == ("support_refund_policy_low_risk", "fast_small")
    (retrieved,) = record.retrievals
    assert (retrieved.index, retrieved.depth) == ("help_center", "deep")
    assert 0 < len(record.context) <= 6
    assert [skipped.name for skipped in record.skipped] == ["ticket_lookup", "refund_eligibility"]
    assert record.egress == ()
    assert [source["id"] for source in answer.model_extra["private_lane"]["context"]] == [
        chunk.chunk_id for chunk in record.context
    ]
    assert "help_center" in lane(system.environment, "explain", trace_id)


def test_a_ticket_that_is_named_is_looked_up_and_so_is_its_order(system: Any, client: OpenAI) -> None:
    answer, trace_id = asked(client, "Can I get a refund for TCK-1042?")
    record = evidence_of(system, trace_id)

    assert validate_answer(answer.choices[0].message.content, SCHEMA).valid
    assert [(call.name, call.ended) for call in record.tool_calls] == [
        ("ticket_lookup", "ok"),
        ("refund_eligibility", "ok"),
    ]
    assert record.decisions[-1].decision.label.level == "internal"


def test_a_refund_waits_for_a_person_and_happens_once_it_is_granted(system: Any, client: OpenAI) -> None:
    waits, trace_id = asked(client, "Please refund order ORD-5567.")
    said = waits.model_extra["private_lane"]
    (approval,) = [json.loads(line) for line in lane(system.environment, "approvals", "list", "--json").splitlines()]
    asked_for = evidence_of(system, trace_id)
    shown = json.loads(lane(system.environment, "approvals", "show", approval["id"], "--json"))

    lane(system.environment, "approvals", "grant", approval["id"], "--because", "order checked")
    came = _came_of(system, said["status_url"])

    assert waits.choices[0].message.refusal.startswith("This waits for a person's approval.")
    assert asked_for.finished is not None
    assert (asked_for.finished.status, asked_for.finished.ended) == (202, "approval")
    assert (shown["tool"], shown["arguments"]) == ("issue_refund", '{"order_id":"ORD-5567"}')
    assert came["choices"][0]["message"]["content"]
    went_on = evidence_of(system, came["id"].removeprefix("chatcmpl-"))
    assert [(call.name, call.ended, call.approval) for call in went_on.tool_calls] == [
        ("issue_refund", "ok", approval["id"])
    ]


def _came_of(system: Any, address: str) -> Any:
    headers = {"authorization": f"Bearer {system.key('local/default')}"}
    for _ in range(240):
        response = httpx2.get(f"{system.address}{address}", headers=headers, trust_env=False)
        if response.status_code != 202:
            assert response.status_code == 200, response.text
            return response.json()
        time.sleep(0.5)
    raise AssertionError("nothing came of the approved request within two minutes")
