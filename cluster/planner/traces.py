"""What was asked of a service before? Recorded traces, read by what stands in them.

- CSV with `arrived_at,num_prefill_tokens,num_decode_tokens` (Azure's 2023 traces as Vidur keeps them), with Azure's own
  `TIMESTAMP,ContextTokens,GeneratedTokens`, or with `timestamp,prompt_tokens,generated_tokens` (semantic-router's fleet simulator);
- JSON lines with `timestamp` in milliseconds, `input_length`, `output_length`, `hash_ids` of blocks of 512 tokens (Mooncake);
- JSON lines with `timestamp` in seconds, `prompt_tokens`, `generated_tokens` (semantic-router's fleet simulator).
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from cluster.planner.load import Request, Trace
from router.errors import BadRequest

MOONCAKE_BLOCK_TOKENS: Final = 512


class TraceUnreadable(BadRequest):
    """A trace's file holds something else; the message names file and line."""

    code = "trace_unreadable"


_CSV: Final = (
    ("arrived_at", "num_prefill_tokens", "num_decode_tokens"),
    ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    ("timestamp", "prompt_tokens", "generated_tokens"),
)


def read_trace(file: Path, limit: int | None = None) -> Trace:
    """Read a trace, or its first `limit` requests; time begins with the first. Raises `TraceUnreadable`."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TraceUnreadable(f"{file}: {getattr(error, 'strerror', None) or 'is not text'}") from error
    rows = _json_rows(file, text) if text.lstrip().startswith("{") else _csv_rows(file, text)
    read = [_request(file, number, fields) for number, fields in _first(rows, limit)]
    if not read:
        raise TraceUnreadable(f"{file}: holds no requests")
    read.sort(key=lambda request: request.arrived_seconds)
    begins = read[0].arrived_seconds
    return Trace(
        tuple(
            Request(request.arrived_seconds - begins, request.prompt_tokens, request.output_tokens, request.prefix)
            for request in read
        ),
        file.name,
        MOONCAKE_BLOCK_TOKENS,
        recorded=True,
    )


def _first(rows: Iterable[tuple[int, Mapping[str, Any]]], limit: int | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for place, row in enumerate(rows):
        if limit is not None and place >= limit:
            return
        yield row


def _json_rows(file: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise TraceUnreadable(f"{file}:{number}: not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise TraceUnreadable(f"{file}:{number}: not a JSON object")
        yield number, fields


def _csv_rows(file: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    columns = set(reader.fieldnames or ())
    if not any(columns >= set(form) for form in _CSV):
        forms = "; ".join(",".join(form) for form in _CSV)
        raise TraceUnreadable(f"{file}:1: unknown columns; known are {forms}, and JSON lines as docs/capacity.md shows")
    for fields in reader:
        yield reader.line_num, fields


def _request(file: Path, number: int, fields: Mapping[str, Any]) -> Request:
    try:
        request = _read(fields)
    except KeyError as error:
        raise TraceUnreadable(f"{file}:{number}: no {error.args[0]}") from error
    except (TypeError, ValueError) as error:
        raise TraceUnreadable(f"{file}:{number}: {error}") from error
    if request.prompt_tokens < 1 or request.output_tokens < 1:
        raise TraceUnreadable(f"{file}:{number}: a request has at least one token in and one out")
    return request


def _read(fields: Mapping[str, Any]) -> Request:
    if "input_length" in fields:
        prompt_tokens = int(fields["input_length"])
        whole = prompt_tokens // MOONCAKE_BLOCK_TOKENS  # The last block is not full: no engine keeps it.
        prefix = tuple(int(name) for name in fields.get("hash_ids", ())[:whole])
        return Request(float(fields["timestamp"]) / 1000, prompt_tokens, int(fields["output_length"]), prefix)
    for when, tokens_in, tokens_out in _CSV:
        if tokens_in in fields:
            return Request(_seconds(fields[when]), int(fields[tokens_in]), int(fields[tokens_out]))
    raise KeyError("input_length, prompt_tokens or ContextTokens")


def _seconds(written: str | float) -> float:
    try:
        return float(written)
    except ValueError:
        # Azure writes seven digits of a second, more than Python reads.
        return datetime.fromisoformat(str(written).strip()[:26]).timestamp()
