"""A node's law is the lanes' to accept: one of those that each of them claims."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.laws import MEMBERS, UNION, accepted, common_laws, laws_within

names = st.sampled_from(("eu", "EU", "de", "fr", "DE", "us", "UK", "atlantis"))
claims = st.lists(st.lists(names, max_size=3).map(tuple), max_size=3)
laws = st.sampled_from(("eu", "de", "fr", "es", "us", "uk", "atlantis", "jp"))


@given(claims, laws)
def test_a_law_is_accepted_iff_each_claim_accepts_it(claimed: list[tuple[str, ...]], law: str) -> None:
    common = common_laws(claimed)
    each = all(accepted([name.casefold() for name in claim], law) for claim in claimed if claim)

    assert (common is None or accepted(common, law)) is each


@given(claims, laws)
def test_what_is_accepted_is_named_among_those_within(claimed: list[tuple[str, ...]], law: str) -> None:
    common = common_laws(claimed) or ()

    assert (law in laws_within(common)) is accepted(common, law)


@pytest.mark.parametrize(
    ("claimed", "common"),
    [
        ([], None),
        ([(), ()], None),
        ([("US", "EU", "UK")], ("eu", "uk", "us")),
        ([("EU", "US"), ("de", "fr")], ("de", "fr")),
        ([("EU",), ("EU", "DE")], ("eu",)),
        ([("EU",), ("US",)], ()),
    ],
)
def test_claims_in_few_names(claimed: list[tuple[str, ...]], common: tuple[str, ...] | None) -> None:
    assert common_laws(claimed) == common


def test_a_member_is_under_the_unions_law_and_the_union_is_no_member() -> None:
    assert all(accepted((UNION,), member) for member in MEMBERS)
    assert not accepted(("de",), UNION)
