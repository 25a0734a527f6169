"""What is not in the passages can't be cited: every planted falsehood is caught, and honest answers pass."""

import hashlib
import re
import string

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.context import CitationRule, false_citations
from router.contract import Chunk

REFUND = "Refunds take 5 working days. The shipping fee isn't refunded unless the item was faulty, damaged or wrong."
WINDOW = "The return window is 30 days; it starts on delivery. Orders above 2.5 kg go by freight."
RULE = CitationRule()
EACH = CitationRule(each_sentence=True)


def chunk(name: str, text: str) -> Chunk:
    return Chunk(id=name, doc=name, index="help", text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


CHUNKS = (chunk("refunds#1", REFUND), chunk("window#1", WINDOW))


def kinds(answer: str, rule: CitationRule = RULE, *, json: bool = False) -> list[str]:
    return [breach.kind for breach in false_citations(answer, CHUNKS, rule, json=json)]


@pytest.mark.parametrize(
    "answer",
    [
        "Refunds take five days [refunds#1].",
        "Refunds take five days. [refunds#1]",
        "Refunds take five days [refunds#1, window#1]. You have 30 days [window#1].",
        'We say "Refunds take 5 working days" [refunds#1].',
        "We say “refunds take 5 working days.” [refunds#1]",
        'It says "the shipping fee isn’t  refunded\nunless the item was faulty" [refunds#1].',
        'It says "The return window is 30 days ... starts on delivery" [window#1]?',
        "- Refunds: five days [refunds#1]\n- Returns: 30 days 【window#1】",
        "You have 30 days, e.g. from Monday on [window#1].",
    ],
)
def test_an_honest_answer_passes(answer: str) -> None:
    assert kinds(answer, EACH if "Refunds:" not in answer else RULE) == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Refunds take five days [refunds#2].", ["unknown_id", "no_citation"]),
        ("Refunds take five days [1].", ["unknown_id", "no_citation"]),
        ("Refunds take five days [refunds#1] [see the terms].", ["unknown_id"] * 3),
        ("Refunds take five days [refunds#1", ["malformed", "no_citation"]),
        ("Refunds take five days [].", ["unknown_id", "no_citation"]),
        ('"Refunds take 6 working days" [refunds#1].', ["false_quote"]),
        ('"The return window is 30 days" [refunds#1].', ["false_quote"]),
        ('"Refunds take 5 ... refunded" [refunds#1].', ["false_quote"]),
        ('"starts on delivery ... The return window is" [window#1].', ["false_quote"]),
        ('"0 days" [window#1].', ["false_quote"]),
        ('"5 kg" [window#1].', ["false_quote"]),
        ('"and never closed [window#1].', ["malformed", "false_quote"]),
        ("«Refunds take 6 days» [refunds#1].", ["false_quote"]),
        ("", ["no_citation"]),
    ],
)
def test_what_is_false_is_named(answer: str, found: list[str]) -> None:
    assert kinds(answer) == found


def test_each_sentence_that_states_something_needs_a_source() -> None:
    answer = (
        "Hello there! Refunds take five days [refunds#1]. They go to your own card. Does that help? I do not know more."
    )

    (breach,) = false_citations(answer, CHUNKS, EACH, json=False)

    assert breach.kind == "uncited_sentence"
    assert "They go to your own card." in str(breach)
    assert kinds(answer) == []


def test_a_json_answer_cites_in_its_list_and_in_its_text() -> None:
    def answer(text: str, *citations: object) -> str:
        return orjson.dumps({"answer": text, "citations": citations, "next_step": "none"}).decode()

    assert kinds(answer("Refunds take five days.", "refunds#1"), json=True) == []
    assert kinds(answer("Five days.", {"id": "refunds#1", "quote": "Refunds take 5 working days"}), json=True) == []
    assert kinds(answer('It says "starts on delivery".', "window#1"), json=True) == []
    assert kinds(answer('It says "starts on delivery".', "refunds#1"), json=True) == ["false_quote"]
    assert kinds(answer("Five days.", "refunds#9"), json=True) == ["unknown_id", "no_citation"]
    assert kinds(answer("Five days [window#9].", "refunds#1"), json=True) == ["unknown_id"]
    assert kinds(answer("Five days.", {"id": "refunds#1", "quote": "six days"}), json=True) == ["false_quote"]
    assert kinds(answer("Five days.", 7), json=True) == ["malformed", "no_citation"]
    assert kinds(answer("Refunds take five long days.", "refunds#1"), EACH, json=True) == ["uncited_sentence"]
    assert kinds('{"answer": "x", "citations": "refunds#1"}', json=True) == ["malformed", "no_citation"]
    assert kinds("no json", json=True) == ["malformed"]
    assert kinds("[]", json=True) == ["malformed"]


def test_where_nothing_must_be_cited_nothing_false_may_be() -> None:
    optional = CitationRule(at_least=0)

    assert kinds("No idea.", optional) == []
    assert kinds("No idea [x#1].", optional) == ["unknown_id"]


WORDS = re.findall(r"\w+", f"{REFUND} {WINDOW}")
spans = st.tuples(st.sampled_from(CHUNKS), st.integers(0, 11), st.integers(3, 8))


def span_of(source: Chunk, first: int, words: int) -> str:
    found = list(re.finditer(r"\S+", source.text))[first : first + words]
    return source.text[found[0].start() : found[-1].end()].replace('"', "")


@given(spans)
def test_every_true_quotation_of_a_cited_passage_passes(span: tuple[Chunk, int, int]) -> None:
    source, first, words = span

    assert kinds(f'It says "{span_of(source, first, words)}" [{source.id}]') == []


@given(spans, st.integers(0, 7), st.sampled_from([*WORDS, "never", "always", "42"]))
def test_a_quotation_with_one_word_changed_is_caught(span: tuple[Chunk, int, int], at: int, word: str) -> None:
    source, first, words = span
    parts = span_of(source, first, words).split()
    changed = " ".join([*parts[: at % len(parts)], word, *parts[at % len(parts) + 1 :]])
    if changed.casefold().strip(" .,;") in source.text.casefold():
        return

    assert "false_quote" in kinds(f'It says "{changed}" [{source.id}].')


@given(st.text(alphabet=string.ascii_letters + string.digits + "#-_.", min_size=1, max_size=20))
def test_an_id_that_was_not_retrieved_is_caught_however_it_looks(name: str) -> None:
    if name in {"refunds#1", "window#1"}:
        return

    assert "unknown_id" in kinds(f"Refunds take five days [{name}].")
    assert "unknown_id" in kinds(orjson.dumps({"answer": "Five.", "citations": [name]}).decode(), json=True)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_at_all_gets_an_answer(answer: str, passage: str) -> None:
    chunks = (chunk("a", passage),)

    assert isinstance(false_citations(answer, chunks, EACH, json=False), tuple)
    assert isinstance(false_citations(answer, chunks, EACH, json=True), tuple)
