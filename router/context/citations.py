"""Does an answer cite only what was retrieved, quote it word for word, and cite where it must? Pure: answer, passages, rule to breaches.

What is not looked at: whether a sentence that quotes nothing *follows* from the passage that it cites. That takes judgement.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from typing_extensions import override

from router.context.prose import Prose, Sentence, plain_text, read_prose
from router.contract import Chunk

Kind = Literal["unknown_id", "false_quote", "uncited_sentence", "no_citation", "malformed"]
_FEWEST_WORDS: Final = 4
_ABSTAINS: Final = re.compile(
    r"(?i)^(?:sorry, ?)?(?:i|we|the (?:passages?|sources?|documents?|help pages?)) (?:do|does|can|could|did) ?n(?:o|')t "
    r"(?:say|know|tell|find|mention|cover|answer)(?: \w+){0,6}[.!]?$"
)
_SPACE: Final = re.compile(r"\s+")
_ELLIPSIS: Final = re.compile(r"\s*(?:\.\.\.|…)\s*")
_PART_WORDS: Final = 3
_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class CitationRule:
    """What an answer owes to its sources. IDs that were not retrieved and quotations that are not in them are never allowed.

    at_least: how many different passages are cited at least. each_sentence: whether every sentence that states something carries an ID.
    ids: the member of a JSON answer that lists IDs (texts, or objects with `id` and `quote`). prose: its members with sentences.
    """

    at_least: int = 1
    each_sentence: bool = False
    ids: str = "citations"
    prose: tuple[str, ...] = ("answer",)


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that is wrong with an answer's citations, and where it is."""

    kind: Kind
    where: str
    because: str

    @override
    def __str__(self) -> str:
        return f"{self.where}: {self.because}"


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entry of a JSON answer's list of citations."""

    id: str
    quote: str | None
    where: str


def false_citations(answer: str, chunks: Sequence[Chunk], rule: CitationRule, *, json: bool) -> tuple[Breach, ...]:
    """Return what is wrong with an answer's citations of these passages; nothing wrong gives an empty tuple.

    In text an ID stands in square brackets in or right after its sentence: `Refunds take five days [refunds#2].` Quotations stand in double
    quotation marks and must be in a passage that their sentence cites; where it cites none, in any passage that the answer lists or was
    given. Space, dashes, kinds of quotation marks and invisible characters count for nothing, words and letters do.
    """
    texts = {chunk.id: quotable(chunk.text) for chunk in chunks}
    if not json:
        return tuple(_of_text(answer, texts, rule))
    try:
        value = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return (Breach("malformed", "answer", "not JSON"),)
    return tuple(_of_json(value, texts, rule))


def quotable(text: str) -> str:
    """Return a text as quotations are compared: one kind of quotation mark, single spaces."""
    return _SPACE.sub(" ", plain_text(text).replace('"', "'")).strip()


def is_in(quotation: str, text: str) -> bool:
    """Tell whether a quotation is in a `quotable` text: whole words, in order.

    An ellipsis may leave words out between parts of three words or more.
    """
    wanted = quotable(quotation).strip(" .,;:!?")
    parts = [part.strip(" ,;:") for part in _ELLIPSIS.split(wanted)]
    parts = [part for part in parts if part]
    if not parts or (len(parts) > 1 and any(len(part.split()) < _PART_WORDS for part in parts)):
        return False
    at = 0
    for number, part in enumerate(parts):
        found = _find(part, text, at, first=number == 0)
        if found is None:
            return False
        at = found
    return True


def _of_text(answer: str, texts: Mapping[str, str], rule: CitationRule) -> Iterator[Breach]:
    prose = read_prose(answer)
    cited = [name for sentence in prose.sentences for name in sentence.cited]
    yield from _in_prose(prose, "answer", texts, given=tuple(texts), each=rule.each_sentence)
    yield from _too_few(cited, texts, rule)


def _of_json(value: Any, texts: Mapping[str, str], rule: CitationRule) -> Iterator[Breach]:
    if not isinstance(value, dict):
        yield Breach("malformed", "answer", "not a JSON object")
        return
    listed: list[_Listed] = []
    for entry in _entries(value.get(rule.ids), rule.ids):
        if isinstance(entry, Breach):
            yield entry
        else:
            listed.append(entry)
            yield from _of_entry(entry, texts)
    cited = [entry.id for entry in listed]
    given = tuple(dict.fromkeys(name for name in cited if name in texts)) or tuple(texts)
    for where, text in _strings({name: part for name, part in value.items() if name != rule.ids}, ""):
        prose = read_prose(text)
        cited += [name for sentence in prose.sentences for name in sentence.cited]
        each = rule.each_sentence and where.split("/")[0] in rule.prose
        yield from _in_prose(prose, where, texts, given=given, each=each)
    yield from _too_few(cited, texts, rule)


def _in_prose(
    prose: Prose, where: str, texts: Mapping[str, str], *, given: tuple[str, ...], each: bool
) -> Iterator[Breach]:
    for stray in prose.stray:
        yield Breach("malformed", where, stray)
    for number, sentence in enumerate(prose.sentences, start=1):
        place = f"{where}, sentence {number}"
        for name in sentence.cited:
            if name not in texts:
                yield _unknown(name, place)
        sources = tuple(name for name in sentence.cited if name in texts) if sentence.cited else given
        for quotation in sentence.quoted:
            if not any(is_in(quotation, texts[name]) for name in sources):
                yield _false_quote(quotation, sources if sentence.cited else (), place)
        if each and not sentence.cited and _states(sentence):
            yield Breach("uncited_sentence", place, f"no citation: {_short(sentence.text)}")


def _of_entry(entry: _Listed, texts: Mapping[str, str]) -> Iterator[Breach]:
    if entry.id not in texts:
        yield _unknown(entry.id, entry.where)
    elif entry.quote is not None and not is_in(entry.quote, texts[entry.id]):
        yield _false_quote(entry.quote, (entry.id,), entry.where)


def _entries(value: Any, name: str) -> Iterator[_Listed | Breach]:
    if value is None:
        return
    if not isinstance(value, list):
        yield Breach("malformed", name, "not a list of IDs")
        return
    for number, entry in enumerate(value):
        where = f"{name}/{number}"
        match entry:
            case str():
                yield _Listed(entry, None, where)
            case {"id": str() as found, "quote": str() as quote}:
                yield _Listed(found, quote, where)
            case {"id": str() as found, **rest} if "quote" not in rest:
                yield _Listed(found, None, where)
            case _:
                yield Breach("malformed", where, "neither an ID nor an object with `id` and `quote`")


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield where, value
        case dict():
            for name, part in value.items():
                yield from _strings(part, f"{where}/{name}" if where else name)
        case list():
            for number, part in enumerate(value):
                yield from _strings(part, f"{where}/{number}")
        case _:
            return


def _too_few(cited: list[str], texts: Mapping[str, str], rule: CitationRule) -> Iterator[Breach]:
    known = {name for name in cited if name in texts}
    if len(known) < rule.at_least:
        yield Breach("no_citation", "answer", f"cites {len(known)} of the passages; at least {rule.at_least} must be")


def _states(sentence: Sentence) -> bool:
    """Whether a sentence says something that needs a source: not a question, not a few words, not that the sources are silent."""
    return sentence.words >= _FEWEST_WORDS and not sentence.asks and not _ABSTAINS.match(sentence.text)


def _find(part: str, text: str, at: int, *, first: bool) -> int | None:
    """Return where `part` ends in `text` from `at` on, as whole words; its first letter may be of the other case."""
    forms = {part, part[0].swapcase() + part[1:]} if first else {part}
    ends = []
    for form in forms:
        start = text.find(form, at)
        while start >= 0:
            if _stands_alone(text, start, start + len(form)):
                ends.append(start + len(form))
                break
            start = text.find(form, start + 1)
    return min(ends, default=None)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether neither end cuts through a word or a number: `5 days` is not in `15 days` or `2.5 days`."""
    return not _joins(text[max(0, start - 2) : start][::-1], text[start]) and not _joins(
        text[end : end + 2], text[end - 1]
    )


def _joins(beyond: str, edge: str) -> bool:
    """Whether the characters beyond an edge, nearest first, go on with the word or number that the edge belongs to."""
    if not beyond or not edge.isalnum():
        return False
    return beyond[0].isalnum() or (edge.isdigit() and beyond[0] in ".,-" and beyond[-1].isdigit() and len(beyond) > 1)


def _unknown(name: str, where: str) -> Breach:
    return Breach("unknown_id", where, f"cites [{_short(name)}], which was not retrieved")


def _false_quote(quotation: str, sources: tuple[str, ...], where: str) -> Breach:
    of = f"in {', '.join(sources)}" if sources else "in any passage"
    return Breach("false_quote", where, f'quotes "{_short(quotation)}", which is not {of}')


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
