"""A budget that is used up is a 429 with the time until it is there again; as long as a private lane may answer, it does."""

import dataclasses
from typing import Any

import pytest

from router.budgets import Limits
from router.contract import BudgetSettled
from router.testing import MemoryPurse
from serving.api.routes import Version

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def limited(system: Any, limits: Limits) -> MemoryPurse:
    purse = MemoryPurse(limits)
    gateway = dataclasses.replace(system.gateway, planner=dataclasses.replace(system.gateway.planner, purse=purse))
    system.version = Version(gateway, system.version.keys, system.version.missing)
    return purse


def body(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "What is the capital of France?"}]}


async def test_what_an_answer_took_is_settled_and_on_record(system: Any) -> None:
    purse = limited(system, Limits(output_tokens=10_000))
    async with system.http() as http:
        answer = await http.post("/v1/chat/completions", json=body("private"))

    assert purse.spent.output_tokens == 2
    record = system.store.read(answer.headers["x-lane-trace-id"])
    assert [one.output_tokens for one in record.spent if isinstance(one, BudgetSettled)] == [2]


async def test_a_budget_that_is_used_up_says_when_to_come_back(system: Any) -> None:
    limited(system, Limits(output_tokens=1))
    async with system.http() as http:
        whole = await http.post("/v1/chat/completions", json=body("private"))
        streamed = await http.post("/v1/chat/completions", json={**body("private"), "stream": True})

    for refused in (whole, streamed):
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "budget_exhausted")
        assert refused.headers["retry-after"] == "3600"
    assert system.lanes["private"].calls == []


async def test_without_money_hosted_lanes_are_closed_in_the_decision_and_private_ones_answer(system: Any) -> None:
    limited(system, Limits(cost=0))
    await system.all_lanes_on()
    async with system.http() as http:
        hosted = await http.post("/v1/chat/completions", json=body("premium"))
        private = await http.post("/v1/chat/completions", json=body("private"))

    assert (hosted.status_code, hosted.headers["retry-after"]) == (429, "3600")
    assert private.status_code == 200
    assert system.lanes["premium"].calls == []
