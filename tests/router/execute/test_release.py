"""When does a piece of an answer go out, and what is done about one that a look speaks against?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle.answer_checks import CheckSpec, compile_check
from router.checks import Amended, CheckResult, Passed, Withheld
from router.contract import AttemptStarted, Checked, Label, OutputContract, StreamRule
from router.errors import AnswerWithheld, HandedToPerson
from router.execute.release import Outlet, Stopped, stream_rule
from router.lane import Refusal, Stop, TextDelta
from tests.router.execute.kit import HELLO, Bench, decision

LIVE, WINDOW, HOLD = StreamRule(), StreamRule(release="window", window_tokens=2), StreamRule(release="hold")
SAYS_IT = (TextDelta("We "), TextDelta("promise a refund"), TextDelta(" today.")), (Stop("stop"),)


class Looks:
    """A watch that minds one word and clears what it has read."""

    def __init__(self, word: str = "promise", amended: str | None = None) -> None:
        self.word, self.amended, self.read, self.cleared = word, amended, "", 0

    def feed(self, text: str) -> Withheld | Passed:
        self.read += text
        if self.word in self.read:
            return Withheld("no-promise", "it promises", "refuse", "No.")
        self.cleared = len(self.read)
        return Passed()

    def finish(self) -> CheckResult:
        found = self.feed("")
        if isinstance(found, Withheld) or self.amended is None:
            return found
        return Amended(f"{self.read.rstrip()}\n\n{self.amended}", "added")


def text_of(events: Any) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_live_sends_each_piece_at_once_but_nothing_before_the_content() -> None:
    outlet = Outlet(LIVE, None)

    assert outlet.take((TextDelta(""),), may_open=False) == ()
    assert text_of(outlet.take((TextDelta("a"),), may_open=True)) == "a"
    assert outlet.take((TextDelta("b"),), may_open=True) == (TextDelta("b"),)


def test_a_window_keeps_so_many_tokens_back_and_gives_them_at_the_end() -> None:
    outlet = Outlet(WINDOW, None)

    sent = outlet.take((TextDelta("0123456789"),), may_open=True)
    last = outlet.end((TextDelta("ab"), Stop("stop")))

    assert text_of(sent) == "01"
    assert text_of(last) == "23456789ab"
    assert last[-1] == Stop("stop")


def test_hold_sends_nothing_before_the_end() -> None:
    outlet = Outlet(HOLD, None)

    assert outlet.take((TextDelta("a" * 1000),), may_open=True) == ()
    assert text_of(outlet.end((Stop("stop"),))) == "a" * 1000


def test_what_a_look_speaks_against_is_stopped_before_it_goes_out() -> None:
    outlet = Outlet(LIVE, (Looks(), Looks()))
    outlet.take((TextDelta("We "),), may_open=True)

    with pytest.raises(Stopped):
        outlet.take((TextDelta("promise"),), may_open=True)

    assert outlet.text == "We "


def test_what_is_said_beside_the_answer_is_looked_at_too() -> None:
    with pytest.raises(Stopped):
        Outlet(HOLD, (Looks(), Looks())).take((Refusal("I promise not to."),), may_open=True)


def test_a_disclaimer_follows_what_was_sent() -> None:
    outlet = Outlet(LIVE, (Looks(amended="No advice."), Looks()))
    sent = text_of(outlet.take((TextDelta("Yes. "),), may_open=True))

    last = outlet.end((Stop("stop"),))

    assert sent + text_of(last) == "Yes. \n\nNo advice."
    assert last[-1] == Stop("stop")


@given(
    st.lists(st.text(alphabet="ab \n", max_size=9), max_size=20),
    st.sampled_from((LIVE, WINDOW, HOLD)),
    st.booleans(),
)
def test_whatever_the_rule_the_caller_gets_all_of_it_once_and_in_order(
    pieces: list[str], rule: StreamRule, looks: bool
) -> None:
    outlet = Outlet(rule, (Looks("c"), Looks("c")) if looks else None)

    sent = [event for piece in pieces for event in outlet.take((TextDelta(piece),), may_open=True)]
    sent += outlet.end((Stop("stop"),))

    assert text_of(sent) == "".join(pieces)
    assert sent[-1] == Stop("stop")


@pytest.mark.parametrize(
    "changes",
    [
        {"label": Label(level="restricted")},
        {"review": True},
        {"disclaimer": "No advice.", "output_contract": OutputContract(type="json", schema_name="Person")},
    ],
)
def test_restricted_output_and_what_a_person_must_see_is_held_whatever_the_bundle_says(changes: Any) -> None:
    assert stream_rule(decision(("near", ("start",)), **changes), hold=False).release == "hold"
    assert stream_rule(decision(("near", ("start",))), hold=False) == LIVE
    assert stream_rule(decision(("near", ("start",))), hold=True).release == "hold"


def checked(then: str, *rungs: Any, answer: Any = SAYS_IT, **changes: Any) -> Bench:
    spec = CheckSpec(id="no-promise", because="nobody may", words=("promise",), then=then, says="Ask a person.")  # type: ignore[arg-type]
    bench = Bench(
        decision(("near", ("start",)), *rungs, checks=("no-promise",), stream=HOLD, **changes),
        near=answer,
        far=HELLO,
    )
    bench.run.bundle.checks["no-promise"] = compile_check(spec)  # type: ignore[index]
    return bench


def test_an_answer_that_passes_is_on_record_as_looked_at() -> None:
    bench = checked("refuse", answer=HELLO).play()

    assert bench.text == "Hello"
    assert [(one.check, one.outcome) for one in bench.kept(Checked)] == [("no-promise", "passed")]


def test_a_check_that_refuses_has_the_caller_read_its_words_and_nothing_of_the_answer() -> None:
    bench = checked("refuse", ("far", ("check",))).play()

    assert bench.events == [Refusal("Ask a person."), Stop("content_filter")]
    assert [(one.check, one.outcome) for one in bench.kept(Checked)] == [("no-promise", "withheld")]
    assert bench.lanes["far"].calls == []


def test_a_check_can_have_the_next_rung_tried() -> None:
    bench = checked("next_rung", ("far", ("check",))).play()

    assert bench.text == "Hello"
    assert [event.on for event in bench.kept(AttemptStarted)] == ["start", "check"]


def test_a_check_can_hand_the_request_to_people_past_other_rungs() -> None:
    with pytest.raises(HandedToPerson):
        checked("person", ("far", ("check",)), ("desk", ("timeout",))).play()


def test_what_a_look_finds_after_the_first_piece_ends_the_stream_in_its_middle() -> None:
    long = (TextDelta("x" * 200),), (TextDelta(" promise " + "y" * 200),), (TextDelta("z"), Stop("stop"))
    bench = checked("next_rung", ("far", ("check",)), answer=long)
    bench.plan = bench.plan.model_copy(update={"stream": StreamRule()})

    with pytest.raises(AnswerWithheld):
        bench.play()

    assert "promise" not in bench.text
    assert not any(isinstance(event, Stop) for event in bench.events)
