"""Content that comes as a list of parts, as reasoning models of Mistral's send it: what is thought is told apart from what is said."""

from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from router.lane import LaneEvent, ReasoningDelta, Stop, TextDelta
from serving.door.provider.openai_chat import ChatAnswer
from tests.providers.stand_in import Behaviour, StandIn
from tests.serving.door.kit import a_call, a_lane, open_door

TEXT = {"type": "text", "text": "It is Paris."}


def thinking(inner: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": inner, "closed": True}


def events_of(content: Any, **delta: Any) -> tuple[LaneEvent, ...]:
    choice = {"index": 0, "delta": {"content": content, **delta}, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    # As the client builds it: without looking.
    return ChatAnswer().take(ChatCompletionChunk.construct(**chunk))


@pytest.mark.parametrize(
    ("content", "events"),
    [
        ([TEXT], (TextDelta("It is Paris."),)),
        ([thinking([{"type": "text", "text": "Hm."}])], (ReasoningDelta("Hm."),)),
        ([thinking("Hm.")], (ReasoningDelta("Hm."),)),
        (
            [thinking([{"type": "text", "text": "H"}, {"type": "text", "text": "m."}]), TEXT],
            (ReasoningDelta("Hm."), TextDelta("It is Paris.")),
        ),
        ([TEXT, {"type": "reference", "reference_ids": [1]}], (TextDelta("It is Paris."),)),
        ([], ()),
        ([{"type": "text", "text": ""}], ()),
    ],
)
def test_thinking_becomes_reasoning_and_text_becomes_text(content: Any, events: tuple[LaneEvent, ...]) -> None:
    assert events_of(content) == events


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": "x"}],
        ["It is"],
        [{"type": "text", "text": 7}],
        [thinking([7])],
        {"type": "text"},
    ],
)
def test_a_part_that_is_not_known_is_no_answer(content: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        events_of(content)


def test_such_an_answer_comes_through_the_door_like_any_other(tmp_path: Path) -> None:
    with StandIn() as provider:
        provider.behaviour = Behaviour(reasoning="Let me see.", parts=True)
        lane = a_lane(provider.base_url, "openai_chat", connect_seconds=5, first_token_seconds=20, gap_seconds=20)
        with open_door(tmp_path, provider, lane) as door:
            events = door.ask(a_call())

    assert ReasoningDelta("Let me see.") in events
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "The capital of France is Paris."
    assert isinstance(events[-1], Stop)
