"""What is a model told whose answer breaks its contract? Once: its answer, what breaks where, and the schema again.

The errors name places and what was expected there; nothing goes along that the lane has not seen: its own answer and the caller's schema.
"""

from collections.abc import Sequence
from typing import Final

from router.contract import Message, TextPart
from router.lane import LaneCall
from router.validate.answer import ANY_OBJECT

_MOST_ANSWER_CHARACTERS: Final = 6000
_MOST_ERRORS: Final = 5
_LAST_LINE: Final = "Answer again, whole, with that mended, and with nothing before or after it."


def repair_messages(call: LaneCall, answer: str, errors: Sequence[str]) -> tuple[Message, ...]:
    """Return the messages that ask the same lane once more: the call's own, and one that holds the answer and says what to mend.

    `answer` is the text, or a tool call's arguments, as the lane itself sent it: where the rung redacts, before it is restored. What
    is longer than a repair is worth is left out. The new message carries the call's label.
    """
    listed = "\n".join(f"- {error}" for error in errors[:_MOST_ERRORS])
    lines = [_opening(answer), listed, _schema_line(call), _LAST_LINE]
    instruction = Message(role="user", content=(TextPart(text="\n".join(filter(None, lines))),), label=call.label)
    return (*call.messages, instruction)


def _opening(answer: str) -> str:
    """Quote the answer. As a message of its own, bare JSON is read as a data record by the deep scan, and would stay."""
    if not answer or len(answer) > _MOST_ANSWER_CHARACTERS:
        return "Your last answer breaks its contract:"
    return f"Your last answer was:\n{answer}\nIt breaks its contract:"


def _schema_line(call: LaneCall) -> str | None:
    if call.json_schema is None:
        return None
    if call.json_schema == ANY_OBJECT:
        return "It must be one JSON object."
    return f"It must meet this JSON Schema:\n{call.json_schema}"
