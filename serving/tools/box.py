"""May this tool be called now, with exactly this, and may what it said be used? Every check of a call in its order; no source is trusted.

Before: the tenant's tools, the arguments' schema, the boundary (asked again with the arguments' own label), a person's approval of exactly
these bytes. After: the result's schema, the label of what came back, and whether it tries to instruct the model.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from router.boundary import ToolQuestion
from router.bundle import Bundle
from router.bundle.files import ToolFile
from router.contract import Concern, Label
from router.decide import label_found
from router.decide.judge import concern_of
from router.decide.plan import EGRESS_NONE
from router.errors import ApprovalNeeded, ToolDenied, ToolError, ToolFailed, ToolTimeout, ToolUnknown
from router.labels import RESTRICTED, join
from router.ports import Clock
from router.scan import scan_text
from router.tools import Ended, ToolResult, ToolUse
from router.tools.check import checked_arguments, checked_result

_GRACE_SECONDS: Final = 1.0
"""A source ends its own call in time and says how; what does not is ended here."""

Consume = Callable[[ToolUse, str], Awaitable[None]]
"""Use up the approval that a call names, for exactly these canonical arguments, or raise: `ApprovalMismatch`, or what the store says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source said: JSON text, or words."""

    text: str
    ended: Ended = "answered"


class Runner(Protocol):
    """Whatever calls tools' sources: here, in another process, or by way of the door."""

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        """Call a tool whose call was checked; `use.arguments_json` is canonical. Raises a `ToolError`."""
        ...


class NoWayOut:
    """The way out where there is none: a call over HTTP goes by the door alone."""

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        """Refuse."""
        raise ToolFailed(tool.name, "it is called over HTTP, and there is no door here to send that")


async def nobody_approves(use: ToolUse, _arguments: str) -> None:
    """Stand in where there is no store of approvals: nothing that needs one is done."""
    raise ApprovalNeeded(use.tool, "it changes something, and approvals are not kept here")


@dataclass(frozen=True, slots=True)
class GuardedToolBox:
    """Implements `router.ports.ToolBox` over one bundle. `consume` uses approvals up; `runner` calls what was let through."""

    bundle: Bundle
    runner: Runner
    clock: Clock
    consume: Consume = nobody_approves

    async def call(self, use: ToolUse) -> ToolResult:
        """Call a tool once. Raises a `ToolError`, and nothing of the tool's answer may be used then."""
        began = self.clock.monotonic()
        tool = self._known(use)
        arguments = checked_arguments(tool, use.arguments_json)
        label = join(use.label, self._found(arguments))
        exactly = replace(use, arguments_json=arguments, label=label)
        self._check_boundary(tool, exactly)
        # Last, because it is used up by this: what another check refuses must not cost a person's yes.
        needs_person = tool.needs_person or use.needs_approval
        if needs_person:
            if use.approval is None:
                raise ApprovalNeeded(tool.name, "a person has to approve exactly these arguments first", arguments)
            await self.consume(exactly, arguments)
        answer = await self._run(tool, exactly)
        json = checked_result(tool, answer.text) if answer.ended == "answered" else None
        found, concern = self._read(answer.text)
        return ToolResult(
            text=json if json is not None else answer.text,
            json=json,
            label=join(tool.label, label, found),
            ended=answer.ended,
            seconds=self.clock.monotonic() - began,
            arguments_sha256=exactly.arguments_sha256,
            concern=concern,
            approval=use.approval if needs_person else None,
        )

    def _known(self, use: ToolUse) -> ToolFile:
        tool, tenant = self.bundle.tools.get(use.tool), self.bundle.tenants.get(use.org)
        if tool is None or tenant is None or (tenant.tools and use.tool not in tenant.tools):
            raise ToolUnknown(use.tool, "the bundle has no such tool for this tenant")
        if tool.source is None:
            raise ToolUnknown(use.tool, "its file names no `source`, so there is nothing to call")
        return tool

    def _check_boundary(self, tool: ToolFile, use: ToolUse) -> None:
        """Raise `ToolDenied` unless the arguments, under their own label, may go where the tool runs. Whatever can't be judged may not."""
        if tool.reaches_outside and "none" in {self.bundle.egress, self.bundle.tenants[use.org].egress}:
            raise ToolDenied(tool.name, "nothing may leave (`egress: none`)", (EGRESS_NONE,))
        verdict = self.bundle.boundary.may_call_tool(
            ToolQuestion(use.org, tool.name, use.label, use.risk_tier, use.attack, use.harm)
        )
        if not verdict.allowed:
            raise ToolDenied(tool.name, verdict.because, tuple(policy.id for policy in verdict.policies))

    async def _run(self, tool: ToolFile, use: ToolUse) -> Answer:
        """Whatever a source raises that is none of ours is its failure: its words may hold what was put in, so its type alone is told."""
        left = tool.timeout_seconds if use.seconds_left is None else min(tool.timeout_seconds, use.seconds_left)
        if left <= 0:
            raise ToolTimeout(tool.name, "no time is left for it")
        try:
            async with asyncio.timeout(left + _GRACE_SECONDS):
                return await self.runner.run(tool, use, left)
        except ToolError:
            raise
        except TimeoutError as error:
            raise ToolTimeout(tool.name, f"no answer within {left:g} s") from error
        except Exception as error:
            raise ToolFailed(tool.name, f"its source broke ({type(error).__name__})") from error

    def _found(self, text: str) -> Label:
        return label_found(scan_text(text), self.bundle.tiers)

    def _read(self, text: str) -> tuple[Label, Concern]:
        """Scan what came back. What can't be read is restricted, and an alarm.

        The broad except is the point: whatever a detector raises, the text counts as unread.
        """
        try:
            alarm = self.bundle.heads.alarms(text).attack
            return self._found(text), concern_of(alarm, self.bundle.tiers.concerns.attack)
        except Exception:  # noqa: BLE001
            return RESTRICTED, "flagged"
