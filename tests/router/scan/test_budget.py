"""No text stalls the scan: work is counted, grows linearly, and a text that asks for too much is restricted."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.scan import scan_text
from router.scan.scan import CATEGORIES, MOST_BYTES, STEPS, warm
from router.scan.text import Budget, Overrun

HOSTILE = {
    "digits": "1",
    "single digits": "1 ",
    "groups of four": "4111 ",
    "cards": "4111 1111 1111 1111, ",
    "nine digits": "123456782 ",
    "letters": "a",
    "at signs": "a@",
    "colons": "a:",
    "ipv6": "::1:",
    "ipv4": "1.2.3.4 ",
    "told facts": "I was diagnosed with lupus. ",
    "subjects": "my mother and ",
    "phones": "call +44 20 7946 0958 ",
    "passwords": "password=",
    "names": "my name is Ada ",
    "streets": "12 Main Street ",
    "accents": "é",
    "invisible": "4\u200b",
    "full width": "４１",
    "marks": "a\u0301\u0327",
    "look-alikes": "раypal ",
    "percent": "%41%25",
    "nested percent": "%25%25%2541",
    "entities": "&#65;",
    "base64": "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ= ",
    "hexadecimal": "68656c6c6f20776f726c642068656c6c6f ",
    "spoken": "one two three ",
    "spaced": "a b c d ",
    "spelled addresses": "john at example dot com ",
    "chinese": "我被诊断出患有糖尿病",
    "plates": "AB51 ABC ",
    "ibans": "GB82 WEST 1234 5698 7654 32 ",
    "lines": "\n",
}
SIZE = 60_000


def seconds_of(text: str) -> float:
    started = time.process_time()
    scan_text(text)
    return time.process_time() - started


def repeated(piece: str, size: int) -> str:
    return (piece * (size // len(piece) + 1))[:size]


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_four_times_the_text_takes_about_four_times_the_time(piece: str) -> None:
    warm()

    once, fourfold = seconds_of(repeated(piece, SIZE)), seconds_of(repeated(piece, 4 * SIZE))

    # Generous: machines are shared. Quadratic work would be sixteen times, of seconds.
    assert fourfold < 8 * once + 1


@pytest.mark.parametrize("piece", ["4111 1111 1111 1111, ", "call +44 20 7946 0958 ", "I was diagnosed with lupus. "])
def test_a_text_that_asks_for_too_much_may_hold_anything(piece: str) -> None:
    findings = scan_text(repeated(piece, 1_000_000), message=3)

    unscanned = [found for found in findings if found.entity == "UNSCANNED"]
    assert {found.category for found in unscanned} == set(CATEGORIES)
    assert {(found.score, found.detector, found.message) for found in unscanned} == {(1, "budget", 3)}


def test_what_was_seen_before_the_overrun_is_kept() -> None:
    found = {finding.entity for finding in scan_text(repeated("4111 1111 1111 1111, ", 1_000_000))}

    assert {"CREDIT_CARD", "UNSCANNED"} <= found


def test_a_text_too_long_to_read_may_hold_anything() -> None:
    assert {found.entity for found in scan_text("a" * (MOST_BYTES + 1))} == {"UNSCANNED"}


def test_prose_of_a_megabyte_is_scanned_whole() -> None:
    prose = "The committee met in spring and agreed on a plan for the harbour, with 12 votes to 3; the rest is in the minutes. "

    assert scan_text(repeated(prose, 1_000_000)) == ()


@given(st.integers(0, 50), st.lists(st.integers(0, 9), max_size=30))
def test_a_budget_gives_out_no_more_than_it_has(steps: int, asked: list[int]) -> None:
    budget = Budget(steps)
    spent = 0
    try:
        for some in asked:
            budget.spend(some)
            spent += some
    except Overrun:
        assert spent <= steps < sum(asked)
    else:
        assert spent == sum(asked) <= steps


LINES = st.sampled_from(
    [
        "4111 1111 1111 1111",
        "my password is hunter2!",
        "I was diagnosed with lupus",
        "078051121",
        "130692544",
        "order number",
        "version",
        "A12803456",
        "my name is Ada Moore",
        "Anna Schmidt called",
        "john at example dot com",
        "%6a%40x.de",
        "12 Main Street",
        "call me",
        "10.1.2.3",
        "my landlord is evicting me",
        "我怀孕了",
        "one two three four five six",
        "The",
        "a@",
        "",
        "password:",
        "GB82 WEST 1234 5698 7654 32",
    ]
)
TEXTS = st.lists(LINES, min_size=1, max_size=5).map("\n".join)


def categories(text: str) -> set[str]:
    return {found.category for found in scan_text(text) if found.score >= 0.5}


@given(TEXTS, TEXTS)
def test_adding_lines_never_takes_a_category_away(text: str, more: str) -> None:
    assert categories(text) <= categories(f"{text}\n{more}")
    assert categories(text) <= categories(f"{more}\n{text}")


@pytest.mark.slow
@settings(max_examples=6)
@given(TEXTS)
def test_enough_of_anything_never_takes_a_category_away(text: str) -> None:
    more = "4111 1111 1111 1111, " * (STEPS // 4)

    assert categories(text) <= categories(text + "\n" + more)
