"""What leaves in place of what must not, and how is it put back? Typed placeholders, and a map that never leaves."""

from router.redact.answer import AnswerRestorer
from router.redact.placeholders import Placeholders, PlaceholderTaken, TooManyValues
from router.redact.redact import Hiding, Redaction, findings_left, redact
from router.redact.values import Scan, scan_with

__all__ = [
    "AnswerRestorer",
    "Hiding",
    "PlaceholderTaken",
    "Placeholders",
    "Redaction",
    "Scan",
    "TooManyValues",
    "findings_left",
    "redact",
    "scan_with",
]
