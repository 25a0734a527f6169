"""How does a command answer a file line by line? In order, in constant memory; a bad line gets an error line, the others their answers.

`lane decide` and `lane scan` share this: what differs is the function that answers one line's fields.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import ValidationError

from router.errors import BadRequest, RouterError, outcome_of

Answer = Callable[[Mapping[str, Any]], bytes]
"""Answers one line's fields with one line, or raises a `RouterError`."""


def answer_file(answer: Answer, source: str, what: str) -> int:
    """Answer a file, or stdin for `-`, on stdout; return 2 when a line was at fault, 1 when one failed otherwise, else 0.

    `what` names the lines where a person watches their count. Raises `BadRequest` for a file that can't be read.
    """
    worst = 0
    with _opened(source, what) as (lines, advance):
        for said, exit_code in answer_lines(answer, lines):
            write(said)
            worst = max(worst, exit_code)
            advance()
    return worst


def answer_lines(answer: Answer, lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield an output line and its exit code for each input line, in order. Empty lines are no requests."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields: object = None
        try:
            fields = fields_of(line)
            said = answer(fields)
        except Exception as error:  # noqa: BLE001 - one line's failure, even a bug's, must not take the others' answers
            yield _failed(_id_of(fields), number, error), outcome_of(error).exit_code
        else:
            yield said, 0


def lines_of(source: str) -> Iterator[dict[str, Any]]:
    """Yield the fields of each line of a file, or of stdin for `-`. Raises `BadRequest` with the number of a line that is none."""
    with _stream(source) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    fields = fields_of(line)
                except BadRequest as error:
                    raise BadRequest(f"line {number}: {error}") from error
                yield fields


def write(line: bytes) -> None:
    """Print one line at once: a program that feeds us one line waits for its answer."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def complaint(error: ValidationError) -> str:
    """Name the field and what is wrong with it; the value itself is never quoted."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"


def fields_of(line: bytes) -> dict[str, Any]:
    """Return one line's fields. Raises `BadRequest` for what is no JSON object."""
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadRequest("not a JSON object")
    return fields


def _id_of(fields: object) -> Any:
    return fields.get("id") if isinstance(fields, dict) else None


def _failed(line_id: Any, number: int, error: Exception) -> bytes:
    says = str(error) if isinstance(error, RouterError) else f"internal error ({type(error).__name__})"
    detail = {"code": outcome_of(error).code, "message": f"line {number}: {says}"}
    return orjson.dumps({"id": line_id, "error": detail})


@contextmanager
def _opened(source: str, what: str) -> Iterator[tuple[Iterable[bytes], Callable[[], None]]]:
    """Open the input, with a count on stderr where a person watches."""
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
        task = shown.add_task(what, total=None)
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
