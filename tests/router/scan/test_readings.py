"""Disguises that need another reading: escapes, packed words, spoken and spaced-out digits, look-alike letters."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.scan import scan_text


def raised(text: str) -> dict[str, str]:
    return {found.entity: text[found.start : found.end] for found in scan_text(text) if found.score >= 0.5}


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "entity", "span"),
    [
        ("mail john%40example%2Ecom please", "EMAIL_ADDRESS", "john%40example%2Ecom"),
        ("mail john&#64;example.com please", "EMAIL_ADDRESS", "john&#64;example.com"),
        ("mail john\\u0040example.com please", "EMAIL_ADDRESS", "john\\u0040example.com"),
        ("mail john at example dot com please", "EMAIL_ADDRESS", "john at example dot com"),
        ("mail john [at] example [dot] com please", "EMAIL_ADDRESS", "john [at] example [dot] com"),
        ("j o h n @ e x a m p l e . c o m", "EMAIL_ADDRESS", "j o h n @ e x a m p l e . c o m"),
        ("the card is 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "CREDIT_CARD", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        (
            "my card: four one one one one one one one one one one one one one one one",
            "CREDIT_CARD",
            "four one one one one one one one one one one one one one one one",
        ),
        (
            "card four triple one 1111 1111 double one one one",
            "CREDIT_CARD",
            "four triple one 1111 1111 double one one one",
        ),
        ("vier eins eins eins eins eins eins eins eins eins eins eins eins eins eins eins", "CREDIT_CARD", None),
        ("quatre un un un un un un un un un un un un un un un", "CREDIT_CARD", None),
        ("cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno", "CREDIT_CARD", None),
        ("卡号四一一一一一一一一一一一一一一一", "CREDIT_CARD", "四一一一一一一一一一一一一一一一"),
        (
            f"look at {packed('my card is 4111 1111 1111 1111')} now",
            "CREDIT_CARD",
            packed("my card is 4111 1111 1111 1111"),
        ),
        (
            f"look at {b'write to john@example.com'.hex()}",
            "EMAIL_ADDRESS",
            b"write to john@example.com".hex(),
        ),
        (packed(packed("write to john@example.com")), "EMAIL_ADDRESS", packed(packed("write to john@example.com"))),
        ("my pаsswоrd is hunter2!", "PASSWORD", "hunter2!"),  # Cyrillic a and o.
        ("4111 1111 1111 111І"[:-1] + "1", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("I was dіagnosed with lupus", "HEALTH_FACT", "I was dіagnosed with lupus"),
    ],
)
def test_a_disguised_finding_leads_back_to_what_was_sent(text: str, entity: str, span: str | None) -> None:
    found = raised(text)

    assert entity in found
    assert span is None or found[entity] == span


@pytest.mark.parametrize(
    "text",
    [
        "100%25 sure &amp; done",
        "one two three four five, once I caught a fish alive",
        "meet me at the dot on the map",
        "I have one cat, two dogs, three birds, four fish",
        "a b c d e f g is how the alphabet begins",
        "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=",
        "internationalization-and-localization",
        "the magnetic field at any point and the vertical",
    ],
)
def test_ordinary_text_read_otherwise_raises_nothing(text: str) -> None:
    assert raised(text).keys() <= {"HIGH_ENTROPY"}


def test_a_text_packed_deeper_than_is_looked_at_is_not_trusted() -> None:
    text = "write to john@example.com"
    for _ in range(6):
        text = packed(text)

    assert "unknown" in {found.category for found in scan_text(text)}


PIECES = st.sampled_from(
    [
        "%40",
        "&#64;",
        "a",
        "4111 ",
        "1 1 1 1 1 1 ",
        "one two six ",
        "aGVsbG8gd29ybGQgaGVsbG8=",
        "é",
        "４",
        "\u200b",
        "\n",
        "а",
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_every_span_of_every_reading_lies_in_the_text(text: str) -> None:
    for found in scan_text(text):
        assert 0 <= found.start < found.end <= len(text)
