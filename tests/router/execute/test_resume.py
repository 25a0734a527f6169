"""A stream that broke off after its first piece: an error, or a private lane that goes on with it."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract import AttemptEnded, AttemptStarted, OutputContract, Resumed
from router.errors import ContractViolated, LaneErrored, LaneMisbehaved, LaneTimeout, LaneUnreachable, RouterError
from router.lane import Continued, Stop, TextDelta, ToolCallDelta
from tests.router.execute.kit import Bench, decision

CUT = (TextDelta("The capital "),), (TextDelta("of France"),), LaneMisbehaved("far", "the stream was cut")
REST = (TextDelta(" is Paris."),), (Stop("stop", "w1"),)
LADDER = (("far", ("start",)), ("exact", ("timeout",)))


def test_where_the_route_wants_it_a_private_lane_goes_on_marked_in_stream_and_evidence() -> None:
    bench = Bench(decision(*LADDER, on_stream_cut="resume"), far=CUT, exact=REST).play()

    assert bench.text == "The capital of France is Paris."
    assert [one for one in bench.events if isinstance(one, Continued)] == [Continued("exact", "m", 21)]
    assert bench.lanes["exact"].calls[0].continue_from == "The capital of France"
    assert [event.on for event in bench.kept(AttemptStarted)] == ["start", "stream_cut"]
    assert [event.ended for event in bench.kept(AttemptEnded)] == ["connection", "stop"]
    (resumed,) = bench.kept(Resumed)
    assert resumed.partial_sha256 == hashlib.sha256(b"The capital of France").hexdigest()
    assert [one.rung.lane for one in bench.climbed] == ["far", "exact"]


def test_otherwise_the_stream_ends_with_the_error_and_without_a_stop() -> None:
    bench = Bench(decision(*LADDER), far=CUT, exact=REST)

    with pytest.raises(LaneMisbehaved):
        bench.play()

    assert bench.text == "The capital of France"
    assert not any(isinstance(event, Stop) for event in bench.events)


def test_a_hosted_lane_never_goes_on_with_what_broke_off() -> None:
    plan = decision(("near", ("start",)), ("far", ("timeout",)), on_stream_cut="resume")
    cut = (TextDelta("a"),), LaneUnreachable("near", "the replica is gone")
    bench = Bench(plan, near=cut, far=REST)

    with pytest.raises(LaneUnreachable):
        bench.play()

    assert bench.lanes["far"].calls == []


def test_a_private_lane_whose_replica_went_goes_on_itself() -> None:
    def near(call: Any) -> Any:
        return REST if call.continue_from else ((TextDelta("It"),), LaneUnreachable("near", "the replica is gone"))

    bench = Bench(decision(("near", ("start",)), on_stream_cut="resume"), near=near).play()

    assert bench.text == "It is Paris."


def test_it_is_gone_on_with_once() -> None:
    bench = Bench(decision(*LADDER, on_stream_cut="resume"), far=CUT, exact=[LaneTimeout("exact", "late")])

    with pytest.raises(LaneTimeout):
        bench.play()

    assert len(bench.lanes["exact"].calls) == 1


@pytest.mark.parametrize(
    ("changes", "said", "error"),
    [
        (
            {"output_contract": OutputContract(type="json", schema_name="Person")},
            TextDelta('{"name": "x'),
            LaneErrored("far", "500"),
        ),
        ({}, ToolCallDelta(0, "", "c", "look"), LaneErrored("far", "500")),
        ({}, TextDelta("x"), ContractViolated("far", "no")),
    ],
)
def test_nothing_but_free_text_that_broke_off_is_gone_on_with(changes: Any, said: Any, error: RouterError) -> None:
    bench = Bench(decision(*LADDER, on_stream_cut="resume", **changes), far=[(said,), error], exact=REST)

    with pytest.raises(RouterError):
        bench.play()

    assert bench.lanes["exact"].calls == []


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6), st.integers(0, 6))
def test_wherever_it_breaks_off_the_caller_gets_what_was_begun_and_then_the_rest(pieces: list[str], at: int) -> None:
    cut = [*((TextDelta(piece),) for piece in pieces[: at + 1]), LaneMisbehaved("far", "cut")]

    bench = Bench(decision(*LADDER, on_stream_cut="resume"), far=cut, exact=REST).play()

    begun = "".join(pieces[: at + 1])
    assert bench.text == begun + " is Paris."
    assert bench.lanes["exact"].calls[0].continue_from == begun
