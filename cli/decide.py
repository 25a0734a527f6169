"""`lane decide`: what would the router do with this? One text, or a file of requests, without a running cluster.

Reads and answers line by line, in order, in constant memory. A bad line gets an error line; the others are still answered.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import orjson
import typer
from pydantic import ValidationError

from router.contract import Channel, Decision, Frozen, Label, Mode, RouteRequest
from router.errors import BadRequest, RouterError, outcome_of
from router.state import State

if TYPE_CHECKING:
    from router.bundle import Bundle

DEFAULT_ORG = "local"
"""The starter bundle's own tenant."""


class DecideLine(Frozen):
    """One line of the input: a text or OpenAI-shaped messages, and who asks."""

    id: Any = None
    text: str | None = None
    messages: list[Any] | None = None
    org: str = DEFAULT_ORG
    user: str | None = None
    channel: Channel = "api"
    mode: Mode | None = None
    allowed_tools: tuple[str, ...] = ()
    labels: Label = Label()
    model: str = "auto"


@dataclass(frozen=True, slots=True)
class Decider:
    """A bundle, the state of the lanes, and the tenant and model that stand where a line names none."""

    bundle: "Bundle"
    state: State
    org: str
    model: str

    def decide(self, fields: Mapping[str, Any]) -> Decision:
        """Decide on one line's fields. Raises `RouterError` for what can't be decided."""
        from router.decide import decide

        return decide(self._request(fields), self.bundle, self.state)

    def _request(self, fields: Mapping[str, Any]) -> RouteRequest:
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            line = DecideLine.model_validate({"org": self.org, "model": self.model, **given})
            return RouteRequest(
                messages=_messages(line),
                org=line.org,
                user=line.user,
                channel=line.channel,
                mode=line.mode,
                allowed_tools=line.allowed_tools,
                labels=line.labels,
                model=line.model,
            )
        except ValidationError as error:
            raise BadRequest(_complaint(error)) from error


def decide(
    text: Annotated[str | None, typer.Argument(help="The text to decide on.", show_default=False)] = None,
    input: Annotated[
        str | None, typer.Option("--input", help="Requests, JSON lines; `-` reads stdin.", show_default=False)
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Count hosted lanes without a key here as off.")] = False,
    org: Annotated[str, typer.Option(help="The tenant, where a line names none.")] = DEFAULT_ORG,
    model: Annotated[str, typer.Option(help="`auto`, a lane or a model, where a line names none.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")] = False,
) -> None:
    """Show what the router would decide, without a running cluster and without asking any model."""
    if (text is None) == (input is None):
        raise BadRequest('give one text, or --input with a file of requests: lane decide "…", lane decide --input FILE')
    decider = _decider(bundle, org, model, live=live)
    if input is not None:
        raise typer.Exit(_decide_lines(decider, input))
    decision = decider.decide({"text": text})
    if json:
        _write(_decided(None, decision))
        return
    from rich.console import Console

    from cli.show import decision_panel

    Console().print(decision_panel(decision, "decision"))


def keyless_lanes(bundle: "Bundle", environment: Mapping[str, str]) -> dict[str, str]:
    """Return the hosted lanes whose provider key is not in the environment, each with that reason."""
    return {
        name: f"no key in {lane.hosted.api_key_env}"
        for name, lane in bundle.lanes.items()
        if lane.hosted is not None and not environment.get(lane.hosted.api_key_env)
    }


def answer_lines(decider: Decider, lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield an output line and its exit code for each input line, in order. Empty lines are no requests."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields: object = None
        try:
            fields = _parse(line)
            decision = decider.decide(fields)
        except Exception as error:  # noqa: BLE001 - one line's failure, even a bug's, must not take the others' answers
            yield _failed(_id_of(fields), number, error), outcome_of(error).exit_code
        else:
            yield _decided(fields.get("id"), decision), 0


def _decider(bundle: Path | None, org: str, model: str, *, live: bool) -> Decider:
    # Cedar, CEL and the classifier's weights: not for `lane --help`.
    from router.bundle import load_bundle
    from serving.settings import read_settings

    loaded = load_bundle(read_settings(bundle).bundle)
    # The keys themselves stay where they are: only whether they are set is read.
    return Decider(loaded, State(lanes_off=keyless_lanes(loaded, os.environ) if live else {}), org, model)


def _decide_lines(decider: Decider, source: str) -> int:
    """Answer a file or stdin on stdout; return 2 when a line was at fault, 1 when one failed otherwise, else 0."""
    worst = 0
    with _opened(source) as (lines, advance):
        for answer, exit_code in answer_lines(decider, lines):
            _write(answer)
            worst = max(worst, exit_code)
            advance()
    return worst


def _messages(line: DecideLine) -> Any:
    from serving.api.messages import parse_messages

    if (line.text is None) == (line.messages is None):
        raise BadRequest("text: a request has either `text` or `messages`", "text")
    return parse_messages(line.messages if line.text is None else [{"role": "user", "content": line.text}])


def _parse(line: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadRequest("not a JSON object")
    return fields


def _complaint(error: ValidationError) -> str:
    """Name the field and what is wrong with it; the value itself is never quoted."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"


def _id_of(fields: object) -> Any:
    return fields.get("id") if isinstance(fields, dict) else None


def _decided(line_id: Any, decision: Decision) -> bytes:
    return b'{"id":' + orjson.dumps(line_id) + b',"decision":' + decision.model_dump_json(by_alias=True).encode() + b"}"


def _failed(line_id: Any, number: int, error: Exception) -> bytes:
    says = str(error) if isinstance(error, RouterError) else f"internal error ({type(error).__name__})"
    detail = {"code": outcome_of(error).code, "message": f"line {number}: {says}"}
    return orjson.dumps({"id": line_id, "error": detail})


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()  # A program that feeds us one line waits for its answer.


@contextmanager
def _opened(source: str) -> Iterator[tuple[Iterable[bytes], Callable[[], None]]]:
    """Open the input, with a count on stderr where a person watches. Raises `BadRequest` for a file that can't be read."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    console = Console(stderr=True)
    shown = Progress(
        SpinnerColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with _stream(source) as lines, shown:
        task = shown.add_task("requests", total=None)
        yield lines, lambda: shown.advance(task)


@contextmanager
def _stream(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise BadRequest(f"--input {source}: {error.strerror}") from error
    with file:
        yield file
