"""Embeddings are decided as answers are: by the same labels and boundary, on lanes that embed and no other."""

from typing import Any

import pytest

from router.bundle import Bundle
from router.contract import Message, RouteRequest, TextPart
from router.decide import decide
from router.errors import UnknownModel
from router.state import State

CARD = "Please note my card 4111 1111 1111 1111 for the order."


def request(*texts: str, **fields: Any) -> RouteRequest:
    messages = tuple(Message(role="user", content=(TextPart(text=text),)) for text in texts)
    return RouteRequest(org="local", messages=messages, **({"task": "embed"} | fields))


@pytest.mark.parametrize("model", ["auto", "embedding", "all-minilm-l6-v2"])
def test_texts_go_to_the_lane_that_embeds_by_whatever_name(starter: Bundle, model: str) -> None:
    decision = decide(request("an invoice", "a reminder", model=model), starter, State())

    assert decision.action == "answer"
    assert [rung.lane for rung in decision.ladder] == ["embedding"]
    assert decision.route == "embeddings"


def test_what_the_texts_hold_labels_them_as_it_labels_a_prompt(starter: Bundle) -> None:
    decision = decide(request("a reminder", CARD), starter, State())

    assert "payment" in decision.label.categories
    assert {finding.message for finding in decision.findings} == {1}
    assert decision.lane == "embedding"


def test_many_long_texts_are_not_too_long_together(starter: Bundle) -> None:
    decision = decide(request(*["a sentence of some length " * 20] * 200), starter, State())

    assert decision.lane == "embedding"


def test_a_lane_that_is_off_leaves_nowhere_to_go(starter: Bundle) -> None:
    decision = decide(request("an invoice"), starter, State(lanes_off={"embedding": "switched off"}))

    assert decision.ladder == ()


@pytest.mark.parametrize(
    ("model", "task", "because"),
    [
        ("embedding", "generate", "`embedding` gives embeddings, no answers"),
        ("all-minilm-l6-v2", "generate", "`all-minilm-l6-v2` gives embeddings, no answers"),
        ("private", "embed", "`private` gives answers, no embeddings"),
        ("premium", "embed", "`premium` gives answers, no embeddings"),
        ("embeding", "embed", "did you mean embedding"),
    ],
)
def test_a_lane_is_not_asked_for_what_it_does_not_do(starter: Bundle, model: str, task: str, because: str) -> None:
    with pytest.raises(UnknownModel, match=because):
        decide(request("an invoice", model=model, task=task), starter, State())


def test_no_answer_ever_ends_on_a_lane_that_embeds(starter: Bundle) -> None:
    decision = decide(request(CARD, task="generate", model="auto"), starter, State())

    assert decision.ladder
    assert "embedding" not in {rung.lane for rung in decision.ladder}
