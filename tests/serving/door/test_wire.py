"""What crosses the socket comes out as it went in, or as an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import (
    BadRequest,
    ContextTooLong,
    DoorRefused,
    EvidenceUnavailable,
    LaneMisbehaved,
    LaneOverloaded,
    LaneQuotaExhausted,
    LaneRateLimited,
    LaneTimeout,
    LaneUnreachable,
    RouterError,
    SchemaRefused,
)
from router.lane import Departed, LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta, Usage
from serving.door.wire import decode_line, encode_error, encode_events

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
COUNT = st.integers(0, 2**31)
EVENTS: st.SearchStrategy[LaneEvent] = st.one_of(
    st.builds(TextDelta, TEXT, st.none() | st.tuples(st.dictionaries(TEXT, st.none() | COUNT))),
    st.builds(ReasoningDelta, TEXT),
    st.builds(ToolCallDelta, COUNT, TEXT, st.none() | TEXT, st.none() | TEXT),
    st.builds(Usage, COUNT, COUNT, COUNT),
    st.builds(Refusal, TEXT),
    st.builds(Departed, TEXT, TEXT, COUNT, TEXT, TEXT),
    st.builds(Stop, st.sampled_from(["stop", "length", "tool_calls", "content_filter"]), st.none() | TEXT),
)


@given(st.lists(EVENTS))
def test_a_batch_of_events_comes_out_as_it_went_in_on_one_line(batch: list[LaneEvent]) -> None:
    line = encode_events(batch)

    assert line.count(b"\n") == 1
    assert decode_line(line, "premium") == tuple(batch)


@pytest.mark.parametrize(
    "error",
    [
        LaneTimeout("premium", "late"),
        LaneUnreachable("premium", "gone"),
        LaneOverloaded("premium", "full", 3.0),
        LaneRateLimited("premium", "slow down", 1.5),
        LaneQuotaExhausted("premium", "nothing left"),
        LaneMisbehaved("premium", "garbage"),
        ContextTooLong("too long", "messages"),
        SchemaRefused("no schema", "response_format"),
        DoorRefused("no", ("p1", "p2")),
        EvidenceUnavailable("disk"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_out_with_all_its_fields(error: RouterError) -> None:
    with pytest.raises(type(error)) as raised:
        decode_line(encode_error(error), "premium")

    assert vars(raised.value) == vars(error)
    assert str(raised.value) == str(error)


def test_an_error_that_clients_do_not_know_is_a_misbehaving_lane() -> None:
    with pytest.raises(LaneMisbehaved):
        decode_line(encode_error(BadRequest("what")), "premium")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"42",
        b'[{"stop":{"reason":"because"}}]',
        b'[{"unheard_of":{}}]',
        b'[{"text":{"text":"a"},"stop":{"reason":"stop"}}]',
        b'["text"]',
        b'[{"usage":{"input_tokens":"many","output_tokens":1}}]',
        b'{"error":{}}',
        b'{"error":{"kind":"SystemExit","because":"x"}}',
        b'{"error":{"kind":"LaneTimeout","because":"x"},"more":1}',
        b"\xff",
    ],
)
def test_a_line_that_is_neither_is_a_misbehaving_lane(line: bytes) -> None:
    with pytest.raises(LaneMisbehaved):
        decode_line(line, "premium")
