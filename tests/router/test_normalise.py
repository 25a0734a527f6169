import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.normalise import normalise

DISGUISED = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("４１\u200b\u202e\u00adﬁé\u0301①٣\ufeff\u2060‐–’Å\u1112\u1161\u11ab"),
    ),
    max_size=80,
)


def test_pure_ascii_is_the_same_object() -> None:
    text = "4111 1111 1111 1111 \x00 ok"

    assert normalise(text).text is text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("４１１１", "4111"),
        ("4\u200b1\u200d1\u20601", "4111"),
        ("\u202e4111\u202c", "4111"),
        ("pass\u00adword", "password"),
        ("٤١١١", "4111"),
        ("४१११", "4111"),
        ("078‐05‑1123", "078-05-1123"),
        ("I’m", "I'm"),
        ("ﬁle", "file"),
        ("e\u0301", "é"),
        ("\U0001d7d2\U0001d7cf", "41"),
        ("日本語", "日本語"),
        ("\u1112\u1161\u11ab", "한"),
    ],
)
def test_a_disguise_comes_off(text: str, plain: str) -> None:
    assert normalise(text).text == plain


def test_a_span_leads_back_over_removed_characters() -> None:
    text = "card ４１\u200b１１ end"

    normal = normalise(text)
    start = normal.text.index("4111")

    assert normal.original_span(start, start + 4) == (5, 10)
    assert text[5:10] == "４１\u200b１１"


def test_a_span_of_a_ligature_is_the_whole_ligature() -> None:
    normal = normalise("oﬃce")

    assert normal.text == "office"
    assert normal.original_span(2, 3) == (1, 2)


@given(DISGUISED)
def test_every_span_leads_back_into_the_text(text: str) -> None:
    normal = normalise(text)

    for start in range(len(normal.text)):
        begin, end = normal.original_span(start, start + 1)
        assert 0 <= begin < end <= len(text)


@given(DISGUISED)
def test_spans_keep_their_order(text: str) -> None:
    normal = normalise(text)

    begins = [normal.original_span(at, at + 1)[0] for at in range(len(normal.text))]

    assert begins == sorted(begins)


@given(DISGUISED)
def test_what_is_plain_stays_as_it_is(text: str) -> None:
    once = normalise(text).text

    ascii_part = "".join(character for character in text if character.isascii())
    kept = iter(once)
    assert all(character in kept for character in ascii_part if unicodedata.category(character) != "Cf") or any(
        unicodedata.combining(character) for character in unicodedata.normalize("NFKD", text)
    )


def test_a_run_of_combining_marks_takes_linear_time() -> None:
    marks = "a" + "\u0301\u0327" * 200_000

    started = time.perf_counter()
    normalise(marks)

    assert time.perf_counter() - started < 10
