"""What do the deep scan's worker and its client say to each other? Frames over a pipe: four bytes of length, then JSON.

The worker's first frame is `{"ready": true}`. Each question `{"texts": [...]}` gets one answer: `{"findings": [[...], ...]}`, a list for
each text, or `{"failed": "TypeName"}`.
"""

import json
import struct
from typing import Any, BinaryIO, Final

from pydantic import TypeAdapter

from router.contract import Finding

LENGTH: Final = struct.Struct(">I")
FRAME_BYTES_AT_MOST: Final = 64 * 1024 * 1024
_FINDINGS: Final = TypeAdapter(tuple[tuple[Finding, ...], ...])


def encode(value: object) -> bytes:
    """Return a frame. Escapes all but ASCII, so that half a surrogate pair crosses too."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return LENGTH.pack(len(body)) + body


def read_frame(stream: BinaryIO) -> Any:
    """Return the next frame's value; None at the end of the stream. Raises `ValueError` for a frame that is cut or no JSON."""
    head = stream.read(LENGTH.size)
    if not head:
        return None
    if len(head) < LENGTH.size:
        raise ValueError("the frame is cut")
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        raise ValueError("the frame is cut")
    return json.loads(body)


def encode_findings(findings: list[tuple[Finding, ...]]) -> bytes:
    """Return the answer's frame."""
    return encode({"findings": [[one.model_dump() for one in found] for found in findings]})


def decode_findings(value: Any, texts: int) -> tuple[tuple[Finding, ...], ...]:
    """Return an answer's findings, a tuple for each of so many texts. Raises `ValueError` for any other answer."""
    if not isinstance(value, dict) or "findings" not in value:
        because = value.get("failed") if isinstance(value, dict) else None
        raise ValueError(f"the worker failed ({because})" if because else "the worker's answer can't be read")
    findings = _FINDINGS.validate_python(value["findings"])
    if len(findings) != texts:
        raise ValueError("the worker answered for other texts")
    return findings
