"""Which arguments does a model read out of the caller's words, where patterns find none? One short call of the route's lane, and a proof.

The lane is held to the tool's schema, is shown what the caller wrote and nothing else, and has a part of the request's time. What it
answers counts only where it keeps the tool's contract and each value stands in those words (`router.tools.standing`): a model helps to
find what was said, it never says what was not.
"""

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from router.bundle.files import ToolFile
from router.contract import (
    ARGUMENTS_SAID,
    Decision,
    Message,
    OutputContract,
    RouteRequest,
    Sampling,
    StreamRule,
    TextPart,
    Validated,
)
from router.errors import BadRequest, DoorRefused, HandedToPerson, LaneFailed, ToolArgumentsInvalid
from router.exact import canonical_json
from router.execute.attempt import attempt_on
from router.execute.climb import Climb
from router.execute.release import Outlet
from router.execute.run import Batch, Run
from router.lane import TextDelta, Usage
from router.tools.standing import said_arguments

_WHOLE: Final = StreamRule(release="hold")
_SHARE: Final = 0.2
"""The part of the time that is left which the question may take: tools and the answer come after it."""
_TOKENS: Final = 160
_TEXT_CHARACTERS: Final = 8_000
_ASKS: Final = (
    "Fill in the arguments of one tool from what the user wrote. Answer with one JSON object that fits the schema, and nothing else."
    " Copy each value letter by letter as it stands in the user's text; never make one up. Leave out what the user did not say."
)
_NO_ANSWER: Final = (LaneFailed, DoorRefused, BadRequest, HandedToPerson)


@dataclass(frozen=True, slots=True)
class Read:
    """What a model read. `arguments_json` is canonical, and all of it stands in the caller's words; None: nothing that does."""

    arguments_json: str | None
    tokens: int = 0


async def read_arguments(tool: ToolFile, decision: Decision, run: Run) -> Read:
    """Ask the plan's first lane, once. Whatever goes wrong with that is on record, and nothing was read."""
    text = _callers_words(run)
    if not text or not decision.ladder:
        return Read(None)
    asked = replace(run, request=_question(tool, text, run), context=(), offered=(), hold=True, arguments_of=tool)
    said = _Said()
    climb = Climb(_plan(decision, run), asked)
    try:
        if (step := await climb.next()) is None:
            return Read(None)
        async with aclosing(attempt_on(step, climb, asked, Outlet(_WHOLE, None))) as batches:
            async for batch in batches:
                said.take(batch)
    except _NO_ANSWER:
        return Read(None, said.tokens)
    return Read(_proved(tool, said.text, text, step.attempt, run), said.tokens)


@dataclass(slots=True)
class _Said:
    """What the lane said, and what it took."""

    text: str = ""
    tokens: int = 0

    def take(self, batch: Batch) -> None:
        self.text += "".join(event.text for event in batch if isinstance(event, TextDelta))
        self.tokens = next(
            (one.input_tokens + one.output_tokens for one in batch if isinstance(one, Usage)), self.tokens
        )


def _proved(tool: ToolFile, answer: str, text: str, attempt: int, run: Run) -> str | None:
    """Return the arguments that the caller's words hold, and put on record whether they do."""
    errors: tuple[str, ...] = ()
    arguments = None
    try:
        arguments = said_arguments(tool, answer, text)
    except ToolArgumentsInvalid as invalid:
        errors = invalid.errors
    proof = Validated(attempt=attempt, contract=ARGUMENTS_SAID, valid=not errors, errors=errors)
    run.evidence.append(run.trace_id, proof)
    return arguments


def _callers_words(run: Run) -> str:
    said = (one.text for one in run.request.messages if one.role == "user" and one.origin == "caller")
    return "\n".join(said)[-_TEXT_CHARACTERS:].strip()


def _question(tool: ToolFile, text: str, run: Run) -> RouteRequest:
    """The request that the lane gets. Nothing that was looked up or returned by a tool is in it: that could name arguments of its own."""
    schema = canonical_json(dict(tool.parameters))
    told = f"{_ASKS}\n\nThe tool: {tool.name}. {tool.description}\nThe schema: {schema}"
    messages = (
        Message(role="system", content=(TextPart(text=told),)),
        Message(role="user", content=(TextPart(text=text),)),
    )
    return run.request.model_copy(update={"messages": messages, "client_tools": (), "tool_choice": None})


def _plan(decision: Decision, run: Run) -> Decision:
    """The plan's first rung alone, for one short answer under the tool's schema. What else the plan demands is demanded of the answer."""
    now, budgets, first = run.clock.monotonic(), decision.budgets, decision.ladder[0]
    left = run.began + budgets.latency_seconds - now
    bounds = budgets.model_copy(
        update={
            "latency_seconds": now - run.began + left * _SHARE,
            "output_tokens": min(budgets.output_tokens, _TOKENS),
        }
    )
    greedy = None if run.bundle.lanes[first.lane].is_hosted else 0.0  # Some providers' models refuse a temperature.
    return decision.model_copy(
        update={
            "ladder": (first.model_copy(update={"on": ("start",)}),),
            "sampling": Sampling(temperature=greedy),
            "retrieval": None,
            "tools": (),
            "client_tools": False,
            "output_contract": OutputContract(type="json", schema_name="request"),
            "on_stream_cut": "error",
            "checks": (),
            "disclaimer": None,
            "budgets": bounds,
        }
    )
