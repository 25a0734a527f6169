"""What leaves in place of what must not, and how is it put back? Typed placeholders, and a map that never leaves."""

from router.redact.answer import AnswerRestorer
from router.redact.placeholders import Placeholders, PlaceholderTaken
from router.redact.redact import Redaction, redact

__all__ = ["AnswerRestorer", "PlaceholderTaken", "Placeholders", "Redaction", "redact"]
