from hypothesis import given
from hypothesis import strategies as st

from router.contract import LEVELS, Label
from router.labels import RESTRICTED, at_most, highest, highest_level, join

CATEGORIES = st.sets(st.sampled_from(["pii", "health", "payment", "legal"])).map(tuple)
PLACES = st.sets(st.sampled_from(["EU", "US", "CH"])).map(tuple)
LABELS = st.builds(Label, level=st.sampled_from(LEVELS), categories=CATEGORIES, jurisdictions=PLACES)


@given(LABELS, LABELS, LABELS)
def test_join_is_associative_commutative_and_idempotent(a: Label, b: Label, c: Label) -> None:
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, b) == join(b, a)
    assert join(a, a) == a


@given(LABELS, LABELS)
def test_a_join_is_the_least_label_above_both(a: Label, b: Label) -> None:
    both = join(a, b)

    assert at_most(a, both)
    assert at_most(b, both)
    assert set(both.categories) == set(a.categories) | set(b.categories)
    assert both.level in (a.level, b.level)


@given(LABELS, LABELS, LABELS)
def test_a_join_is_monotone(a: Label, b: Label, c: Label) -> None:
    assert at_most(join(a, c), join(a, b, c))


@given(LABELS)
def test_joining_nothing_changes_nothing_and_public_is_the_bottom(a: Label) -> None:
    assert join() == Label()
    assert join(a, Label()) == a
    assert at_most(Label(), a)


def test_what_could_not_be_judged_is_restricted() -> None:
    assert RESTRICTED.level == LEVELS[-1]


def test_the_highest_of_no_tier_is_low() -> None:
    assert highest([]) == "low"
    assert highest(["elevated", "restricted", "low"]) == "restricted"


def test_the_highest_of_no_level_is_public() -> None:
    assert highest_level([]) == "public"
    assert highest_level(["internal", "restricted", "confidential"]) == "restricted"


def test_a_label_is_at_most_another_only_in_every_respect() -> None:
    label = Label(level="internal", categories=("pii",), jurisdictions=("EU",))

    assert at_most(label, label)
    assert not at_most(label.model_copy(update={"level": "confidential"}), label)
    assert not at_most(label.model_copy(update={"categories": ("health",)}), label)
    assert not at_most(label.model_copy(update={"jurisdictions": ("US",)}), label)
