"""A person has said yes or no: how does the request go on? The approved call is made, exactly as it was shown, and then the answer.

It goes on under a trace of its own, with the evidence of any other request; the first one's evidence ends with the wait. What could not be
done is an answer as well: whoever asked finds it where they were told to look.
"""

import logging
import time
from contextlib import aclosing
from dataclasses import dataclass

from router.budgets import Amounts, Step, most_of_call
from router.bundle.files import ToolFile
from router.contract import Message, RouteRequest, TextPart, ToolCalled
from router.errors import NotAuthenticated, RouterError, ToolFailed
from router.exact import text_sha256
from router.execute import with_result
from router.execute.spending import NEVER_CALLED, settled
from router.tools import ToolResult, ToolUse
from serving.api.auth import Caller
from serving.api.extension import extension_of
from serving.api.render import WholeAnswer
from serving.gateway import Gateway, Opening, Trace
from serving.people.parked import Parked, PendingCall, Result, Ticket
from serving.people.results import failed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WentOn:
    """Under which trace a request went on, and what came of it."""

    trace_id: str
    result: Result


@dataclass(frozen=True, slots=True)
class GoOn:
    """Goes on with requests under one version of the bundle."""

    gateway: Gateway

    async def __call__(self, ticket: Ticket, parked: Parked) -> WentOn:
        """Make the call that was approved, then have the request answered. Never raises: a failure is what came of it.

        The broad except is the point: nobody waits at the other end of this, and the ticket must end.
        """
        trace = Trace.begin(self.gateway.clock)
        try:
            caller = self._caller(ticket)
        except RouterError as error:
            self.gateway.accept(trace, b"", parked.request, None)
            await self.gateway.fail(trace, error)
            return WentOn(trace.trace_id, failed(error, trace.trace_id))
        self.gateway.accept(trace, parked.request.model_dump_json().encode(), parked.request, caller)
        try:
            request = parked.request if parked.call is None else await self._called(ticket, parked, parked.call, trace)
        except Exception as error:
            if not isinstance(error, RouterError):
                log.exception("trace %s", trace.trace_id)
            await self.gateway.fail(trace, error)
            return WentOn(trace.trace_id, failed(error, trace.trace_id))
        return WentOn(trace.trace_id, await self._answered(request, trace))

    def _caller(self, ticket: Ticket) -> Caller:
        """Whose request it is. A key that is no longer in the bundle has nothing done for it any more."""
        tenant = self.gateway.bundle.tenants.get(ticket.org)
        for key in tenant.keys if tenant is not None else ():
            if key.id == ticket.standing.asked_by:
                return Caller(ticket.org, key)
        raise NotAuthenticated("the key that asked for this is no longer in the bundle")

    async def _called(self, ticket: Ticket, parked: Parked, call: PendingCall, trace: Trace) -> RouteRequest:
        """Return the request with the result of the approved call."""
        use = ToolUse(
            trace_id=ticket.standing.trace_id,  # The request that the approval is bound to.
            attempt=1,
            tool=call.tool,
            arguments_json=call.arguments,
            org=ticket.org,
            label=ticket.standing.label,
            approval=ticket.standing.approval,
            needs_approval=True,
            risk_tier=ticket.standing.risk_tier,
        )
        started, spec = self.gateway.clock.monotonic(), self.gateway.bundle.tools.get(call.tool)
        event = ToolCalled(
            name=call.tool,
            arguments_sha256=text_sha256(call.arguments),
            result_sha256=None,
            ended="failed",
            side_effect=spec.side_effect if spec is not None else "irreversible",
            source=spec.source.kind if spec is not None and spec.source is not None else "",
            cost_usd=spec.cost_usd if spec is not None else 0.0,
            approval=ticket.standing.approval,
            label=ticket.standing.label,
        )
        try:
            result = await self._paid(use, spec, trace)
        except RouterError as error:
            seconds = self.gateway.clock.monotonic() - started
            self.gateway.store.append(
                trace.trace_id, event.model_copy(update={"ended": error.code, "seconds": seconds})
            )
            raise
        said = {"ended": "ok", "result_sha256": result.sha256, "label": result.label, "seconds": result.seconds}
        self.gateway.store.append(trace.trace_id, event.model_copy(update=said))
        if not call.call_id:
            return with_result(parked.request, call.tool, result).model_copy(update={"stream": False})
        told = Message(
            role="tool",
            content=(TextPart(text=result.text),),
            tool_call_id=call.call_id,
            label=result.label,
            origin="tool",
        )
        return parked.request.model_copy(update={"messages": (*parked.request.messages, told), "stream": False})

    async def _paid(self, use: ToolUse, spec: ToolFile | None, trace: Trace) -> ToolResult:
        """Make the call, out of its tenant's budget; what it took is on record under the trace that goes on."""
        purse, tools = self.gateway.planner.purse, self.gateway.toolbox
        if tools is None or spec is None:
            raise ToolFailed(use.tool, "the bundle in service has no such tool that runs here")
        most = most_of_call(spec.cost_usd)
        step = Step(use.org, "", use.trace_id, use.tool, spec.timeout_seconds)
        held = await purse.reserve(step, most) if purse is not None else None
        used = most
        try:
            return await tools.call(use)
        except NEVER_CALLED:
            used = Amounts()
            raise
        finally:
            if purse is not None and held is not None:
                purse.settle(held, used)
                self.gateway.store.append(trace.trace_id, settled(use.org, used))

    async def _answered(self, request: RouteRequest, trace: Trace) -> Result:
        answer = WholeAnswer(trace.trace_id, int(time.time()), request.model)
        status = 200
        try:
            async with aclosing(self.gateway.answer(request, trace)) as steps:
                async for step in steps:
                    if isinstance(step, Opening):
                        answer.model, answer.extension = step.model or request.model, extension_of(step)
                        status = 200 if step.ticket is None else 202
                    else:
                        answer.take(step)
        except Exception as error:  # noqa: BLE001 - the gateway has recorded it; what came of it is told
            return failed(error, trace.trace_id)
        return Result(status=status, body=answer.body().decode())
