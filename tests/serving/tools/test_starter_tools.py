"""The starter bundle's tools, run for real in their worker."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from router.bundle import Bundle
from router.testing import ManualClock
from router.tools import ToolResult, ToolUse
from serving.tools.box import GuardedToolBox
from tests.serving.tools.kit import refund, sources_of, use

pytestmark = pytest.mark.slow


async def _approved(_use: ToolUse, _arguments: str) -> None:
    """Approve everything."""


def run(bundle: Bundle, state: Path, calls: Callable[[GuardedToolBox], Awaitable[Any]]) -> Any:
    async def through() -> Any:
        sources = sources_of(bundle, state)
        try:
            return await calls(GuardedToolBox(bundle, sources, ManualClock(), _approved))
        finally:
            await sources.close()

    return asyncio.run(through())


def test_the_article_s_tools_answer(starter: Bundle, tmp_path: Path) -> None:
    async def calls(box: GuardedToolBox) -> list[ToolResult]:
        eligible = use(tool="refund_eligibility", arguments_json='{"order_id": "ORD-5567"}')
        return [
            await box.call(use()),
            await box.call(eligible),
            await box.call(use(arguments_json='{"ticket_id": "TCK-9"}')),
        ]

    ticket, eligible, unknown = run(starter, tmp_path, calls)

    assert (
        ticket.json
        == '{"order_id":"ORD-5567","status":"pending","subject":"Refund for a kettle that leaks","ticket_id":"TCK-1042"}'
    )
    assert eligible.json is not None
    assert '"eligible":true' in eligible.json
    assert (unknown.ended, unknown.text) == ("declined", "There is no ticket TCK-9.")


def test_a_refund_under_one_key_happens_once_and_never_for_more_than_was_paid(starter: Bundle, tmp_path: Path) -> None:
    async def calls(box: GuardedToolBox) -> list[ToolResult]:
        again = [await box.call(refund(approval="a", attempt=attempt)) for attempt in (1, 2)]
        arguments = '{"order_id": "ORD-5567", "amount_cents": 4000}'
        too_much = use(tool="issue_refund", arguments_json=arguments, approval="b")
        return [*again, await box.call(too_much)]

    once, twice, too_much = run(starter, tmp_path, calls)

    assert once.json == twice.json
    assert (too_much.ended, too_much.text) == ("declined", "Of order ORD-5567, 3950 cents are left to refund.")


def test_running_a_tool_leaves_the_bundle_as_it_was(starter: Bundle, tmp_path: Path) -> None:
    before = sorted(starter.root.rglob("*"))

    run(starter, tmp_path, lambda box: box.call(use()))

    assert sorted(starter.root.rglob("*")) == before
