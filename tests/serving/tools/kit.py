"""What the tests of tools begin with: the starter bundle's tools, and boxes over scripted sources."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from router.bundle import Bundle
from router.bundle.files import ToolFile
from router.contract import Label
from router.testing import ManualClock
from router.tools import ToolUse
from serving.tools.box import Answer, GuardedToolBox, nobody_approves
from serving.tools.sources import Sources


class Scripted:
    """A runner that plays a script and keeps the calls it got."""

    def __init__(self, script: Callable[[ToolUse], Any]) -> None:
        self.script = script
        self.calls: list[ToolUse] = []

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        self.calls.append(use)
        said = self.script(use)
        if isinstance(said, Awaitable):
            said = await said
        if isinstance(said, BaseException):
            raise said
        return said if isinstance(said, Answer) else Answer(said)


def with_tool(bundle: Bundle, name: str, **changes: Any) -> Bundle:
    changed = ToolFile.model_validate(bundle.tools[name].model_dump() | changes)
    return dataclasses.replace(bundle, tools={**bundle.tools, name: changed})


def box_of(bundle: Bundle, script: Callable[[ToolUse], Any], consume: Any = nobody_approves) -> GuardedToolBox:
    return GuardedToolBox(bundle, Scripted(script), ManualClock(), consume)


def use(**changes: Any) -> ToolUse:
    fields: dict[str, Any] = {
        "trace_id": "a" * 32,
        "attempt": 1,
        "tool": "ticket_lookup",
        "arguments_json": '{"ticket_id": "TCK-1042"}',
        "org": "local",
        "label": Label(),
        "risk_tier": "low",
    }
    return ToolUse(**(fields | changes))


def refund(**changes: Any) -> ToolUse:
    arguments = '{"order_id": "ORD-5567", "amount_cents": 1000}'
    return use(tool="issue_refund", arguments_json=arguments, **changes)


def called(box: GuardedToolBox, one: ToolUse) -> Any:
    return asyncio.run(box.call(one))


def sources_of(bundle: Bundle, state: Path, **variables: str) -> Sources:
    return Sources(bundle.root, bundle.tools, variables, state)
