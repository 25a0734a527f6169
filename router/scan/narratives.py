"""Does somebody tell a regulated fact about a person: their health, work, money or legal trouble?

Topic is not data. "What is a severance package?" tells nothing of anybody; "my salary is 84,500 and my manager wants to cut it" does.
So a term counts only in a sentence that says whose it is (the speaker, somebody of theirs, a named person, a patient) and asserts it (an
event, a state, a possession with a figure). English is in `english`; German, French, Spanish and Chinese are put together here from
`languages`.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from router.scan.english import english
from router.scan.languages import LANGUAGES, Language
from router.scan.telling import Telling
from router.scan.text import Detector, Family, Hit, Triggers, View, pattern

_REACH: Final = 160
"""How many bytes around a term a telling may span."""
_FIGURE: Final = r"[$€£¥]? ?[0-9][0-9.,]{0,12}"


def _abroad(said: Language) -> Iterator[Telling]:
    """Yield the tellings of one language."""
    gap, space = said.gap, said.space
    for category, done in (
        ("health", said.health),
        ("employment", said.work),
        ("legal", said.law),
        ("finance", said.money),
    ):
        yield Telling(category, done, rf"{said.told}{space}{gap}{done}", 0.75)
    condition = rf"(?:{said.has}{space}{gap}|{said.mine}{space}(?:[^\s.!?]{{1,20}} )?){said.conditions}"
    yield Telling("health", said.conditions, condition, 0.75)
    yield Telling(
        "employment", said.pay, rf"{said.mine}{space}{gap}{said.pay}{space}{gap}(?:{_FIGURE}|{said.cut})", 0.75
    )
    yield Telling("finance", said.account, rf"{said.mine}{space}{gap}{said.account}{space}{gap}{_FIGURE}", 0.7)
    yield Telling("employment", said.earns, rf"{said.earns}{space}{gap}{_FIGURE}", 0.7)
    yield Telling("finance", said.owes, rf"{said.owes}{gap}{_FIGURE}{space}{_MONEY}", 0.65)
    yield Telling(
        "employment",
        said.acts,
        rf"{said.mine}{space}(?:[^\s.!?]{{1,20}} )?{said.superior}{space}{gap}{said.acts}",
        0.75,
    )
    yield Telling(
        "legal", said.case, rf"{said.mine}{space}(?:[^\s.!?]{{1,20}} )?{said.case}{space}{gap}{said.moves}", 0.7
    )


_EDGE: Final = r"(?:^|[^A-Za-z0-9\x80-\xff]|¿|¡|«)"
"""Where a word begins. For RE2, the bytes of an accented letter are no letters: "symptômes" would hold the word "mes"."""
_EDGE_BYTES: Final = b" \t\n\r\"'(.,;:!?-/\xc2\xbf\xa1\xab"
_MONEY: Final = (
    r"(?:€|euros?|eur|dollars?|dólares|usd|pesos|francs?|franken|chf|k|元|块|万|美元|schulden|dettes|deudas)"
)


def _detector(telling: Telling) -> Detector:
    edge = r"\b" if telling.terms.isascii() else ""
    trigger = rf"{edge}(?:{telling.terms})"
    return Detector(partial(_tell, telling, pattern(trigger), pattern(telling.source)), trigger)


def _tell(telling: Telling, term: Any, source: Any, view: View) -> Iterator[Hit]:
    """Yield the sentences' parts that tell a fact, looking only around its terms: most texts have none."""
    entity = f"{telling.category.upper()}_FACT"
    for begin, end in _passages(view, term):
        for found in source.finditer(view.data, begin, end):
            view.budget.spend()
            start = found.start() + len(found.group()) - len(found.group().lstrip(_EDGE_BYTES))
            yield Hit(start, found.end(), entity, telling.category, telling.score, "narrative")


def _passages(view: View, term: Any) -> Iterator[tuple[int, int]]:
    """Yield the stretches around the terms."""
    begin, end = 0, -1
    for found in view.each(term):
        if found.start() - _REACH > end:
            if end > 0:
                yield begin, end
            begin = max(found.start() - _REACH, 0)
        end = min(found.end() + _REACH, len(view.data))
    if end > 0:
        yield begin, end


def _speakers(language: Language) -> Family:
    """Return one language's detectors."""
    tellings = (
        Telling(one.category, f"(?i:{one.terms})", f"(?i:{one.source.replace(_WORD_EDGE, _EDGE)})", one.score)
        for one in _abroad(language)
    )
    return Family(map(_detector, tellings))


_WORD_EDGE: Final = r"\b"
_ENGLISH: Final = Family(map(_detector, english()))
_ABROAD: Final = tuple(map(_speakers, LANGUAGES))
_SPOKEN: Final = Triggers(language.people for language in LANGUAGES)
"""Words for the speaker and theirs: a language none of whose stand in a text is not looked for."""


def find_narratives(view: View) -> Iterator[Hit]:
    """Yield what is told in English, and in each language that seems to be spoken here."""
    yield from _ENGLISH.find(view)
    for index in sorted(_SPOKEN.seen(view.data)):
        if index < len(_ABROAD):
            yield from _ABROAD[index].find(view)
