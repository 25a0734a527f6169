"""What do the deep scan's worker and its client say to each other? Frames over a pipe (`serving.frames`).

The worker's first frame is `{"ready": true}`. Each question `{"texts": [...]}` gets one answer: `{"findings": [[...], ...]}`, a list for
each text, or `{"failed": "TypeName"}`.
"""

from typing import Any, Final

from pydantic import TypeAdapter

from router.contract import Finding
from serving.frames import encode

_FINDINGS: Final = TypeAdapter(tuple[tuple[Finding, ...], ...])


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
