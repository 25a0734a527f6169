"""Watching an answer while it comes: the same verdict as of the whole, early, and in linear time."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from router.bundle.answer_checks import CheckSpec
from router.checks import Amended, AnswerWatch, CheckResult, Passed, Withheld, check_answer
from router.checks.watch import STRIDE, UNSETTLED
from tests.router.checks.ground import Ground, asked, message

Make = Callable[..., Ground]
DATA = CheckSpec(id="data", because="it is not theirs", looks_for="data")
PROMISES = CheckSpec(id="promises", because="nobody promised that", words=("we guarantee",))
DOSAGE = CheckSpec(id="dosage", because="a dose needs a doctor", pattern=r"\b\d+ ?mg\b", unless=("doctor",))
SECRET = CheckSpec(id="instructions", because="they are the operator's", looks_for="system_prompt")
FILLER = "The shop opens at nine and closes at five on most days of the week. "
INSTRUCTIONS = " ".join(f"rule{number} word{number * 7}" for number in range(60))


def watched(text: str, cuts: list[int], ground: Ground) -> tuple[AnswerWatch, CheckResult, int]:
    """Feed a text in pieces; return the watch, its result and after how many characters it spoke."""
    request = asked(message(INSTRUCTIONS, role="system"), message("?"), clearance="public")
    watch = AnswerWatch(ground.decision, request, ground.bundle)
    at = 0
    for cut in [*sorted(cuts), len(text)]:
        if isinstance(watch.feed(text[at:cut]), Withheld):
            return watch, watch.finish(), cut
        at = cut
    return watch, watch.finish(), len(text)


pieces = st.lists(
    st.sampled_from(
        [FILLER, "We guarantee it. ", "Card 4111 1111 1111 1111. ", "Take 40 mg. ", "See a doctor. ", INSTRUCTIONS]
    ),
    max_size=30,
)


@given(said=pieces, cuts=st.lists(st.integers(0, 2000), max_size=60))
def test_a_watched_answer_ends_as_the_whole_one_does(ground: Make, said: list[str], cuts: list[int]) -> None:
    made = ground(DATA, PROMISES, DOSAGE, SECRET, disclaimer="No advice.")
    text = "".join(said)
    request = asked(message(INSTRUCTIONS, role="system"), message("?"), clearance="public")

    _, result, _ = watched(text, [min(cut, len(text)) for cut in cuts], made)

    whole = check_answer(text, made.decision, request, made.bundle)
    assert type(result) is type(whole)
    if isinstance(whole, Amended):
        assert result == whole


@given(before=st.integers(0, 600), size=st.integers(1, 40))
def test_nothing_forbidden_is_cleared(ground: Make, before: int, size: int) -> None:
    text = (FILLER * 10)[:before] + " Card 4111 1111 1111 1111. " + FILLER * 10
    start = text.index("4111")
    request = asked(message("?"), clearance="public")
    made = ground(DATA)
    watch = AnswerWatch(made.decision, request, made.bundle)

    for at in range(0, len(text), size):
        if isinstance(watch.feed(text[at : at + size]), Withheld):
            break

    assert watch.cleared <= start
    assert isinstance(watch.finish(), Withheld)


def test_a_breach_is_told_soon_after_it_came(ground: Make) -> None:
    text = FILLER * 20 + "We guarantee it. " + FILLER * 20

    _, result, spoke_at = watched(text, list(range(0, len(text), 4)), ground(PROMISES))

    assert isinstance(result, Withheld)
    assert spoke_at <= text.index("We guarantee") + STRIDE + UNSETTLED + 20


def test_what_only_the_whole_heals_is_not_judged_before_its_end(ground: Make) -> None:
    text = "Take 40 mg. " + FILLER * 10 + "Ask a doctor."

    _, result, _ = watched(text, list(range(0, len(text), 10)), ground(DOSAGE))

    assert result == Passed()


def test_a_good_answer_is_cleared_as_it_comes_and_whole_at_its_end(ground: Make) -> None:
    made = ground(DATA, PROMISES)
    watch = AnswerWatch(made.decision, asked(), made.bundle)

    for _ in range(10):
        assert watch.feed(FILLER) == Passed()
    along = watch.cleared
    assert watch.finish() == Passed()

    assert 10 * len(FILLER) - STRIDE - UNSETTLED - len(FILLER) <= along < 10 * len(FILLER)
    assert watch.cleared == 10 * len(FILLER)


def test_a_letter_spelt_by_its_number_hides_no_phrase(ground: Make) -> None:
    _, result, _ = watched(
        '{"answer": "we gu\\u0061rantee it. ' + FILLER * 10, list(range(0, 600, 7)), ground(PROMISES)
    )

    assert isinstance(result, Withheld)


def test_the_work_is_linear_in_the_answer(ground: Make) -> None:
    made = ground(DATA)
    looked: list[int] = []
    watch = AnswerWatch(made.decision, asked(), made.bundle)
    looks = watch._looks.at

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(watch_looks, name)

        def at(self, text: str, *, whole: bool) -> object:
            looked.append(len(text))
            return looks(text, whole=whole)

    watch_looks = watch._looks
    watch._looks = Counting()  # type: ignore[assignment]
    for _ in range(2000):
        watch.feed("word ")

    assert sum(looked) <= 6 * 10_000
