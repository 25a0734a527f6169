"""Each JSON value has one text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.exact import canonical_json, parse_json, text_sha256

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé\n"☃'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_read_back_has_the_same_text_and_hash(value: object) -> None:
    text = canonical_json(value)

    assert canonical_json(parse_json(text)) == text
    assert text_sha256(canonical_json(parse_json(text))) == text_sha256(text)


@pytest.mark.parametrize(
    "value", [{"a": object()}, float("nan"), "\ud800"], ids=["an object", "no number", "half a pair"]
)
def test_what_no_json_text_can_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"no JSON text|not JSON compliant"):
        canonical_json(value)
