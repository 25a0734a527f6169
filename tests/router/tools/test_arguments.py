import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ToolArgumentsInvalid
from router.exact import parse_json
from router.tools.arguments import ARGUMENT_BYTES_AT_MOST, canonical_arguments

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_whatever_the_spelling_the_canonical_text_is_one_and_means_the_same(value: dict) -> None:
    try:
        compact = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
        spaced = json.dumps(dict(reversed(value.items())), indent=2, ensure_ascii=True)
        once = canonical_arguments("tool", compact)
    except ToolArgumentsInvalid:
        return  # half a surrogate pair: no JSON text can hold it

    assert once == canonical_arguments("tool", spaced) == canonical_arguments("tool", once)
    assert parse_json(once) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"gabenwelter"',
        "{",
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a": "' + "x" * ARGUMENT_BYTES_AT_MOST + '"}',
    ],
    ids=str,
)
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ToolArgumentsInvalid):
        canonical_arguments("tool", text)


def test_a_large_whole_number_stays_the_number_it_was() -> None:
    assert canonical_arguments("tool", '{"cents": 123456789012345678901234567890}') == (
        '{"cents":123456789012345678901234567890}'
    )
