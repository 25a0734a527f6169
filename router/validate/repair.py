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


def repair_messages(call: LaneCall, answer: str, errors: Sequence[str]) -> tuple[Message, ...]:
    """Return the messages that ask the same lane once more: the call's own, the answer as it came, and one that says what to mend.

    `answer` is the text, or a tool call's arguments, as the lane itself sent it: where the rung redacts, before it is restored. What
    is longer than a repair is worth is left out. The two new messages carry the call's label.
    """
    listed = "\n".join(f"- {error}" for error in errors[:_MOST_ERRORS])
    asked = [f"That answer breaks its contract:\n{listed}", _schema_line(call), _last_line(call)]
    instruction = Message(role="user", content=(TextPart(text="\n".join(filter(None, asked))),), label=call.label)
    if not answer or len(answer) > _MOST_ANSWER_CHARACTERS:
        return (*call.messages, instruction)
    return (*call.messages, Message(role="assistant", content=(TextPart(text=answer),), label=call.label), instruction)


def _schema_line(call: LaneCall) -> str | None:
    if call.json_schema is None:
        return None
    if call.json_schema == ANY_OBJECT:
        return "It must be one JSON object."
    return f"It must be JSON that meets this JSON Schema:\n{call.json_schema}"


def _last_line(call: LaneCall) -> str:
    if call.json_schema is None:
        return "Answer again, whole, with that mended."
    return "Answer again, whole, with that mended: the JSON alone, without a word before or after it."
