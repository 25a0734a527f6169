"""Does somebody tell a regulated fact about a person: their health, work, money or legal trouble?

Topic is not data. "What is a severance package?" tells nothing of anybody; "my salary is 84,500 and my manager wants to cut it" does.
So a term of the lexicons counts only in a sentence that says whose it is (the speaker, somebody of theirs, a named person, a patient) and
asserts it (an event, a state, a possession with a figure). English only in this version; `lexicons/README.md` says what the files hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from router.scan.text import Hit, View, pattern

_LEXICONS = Path(__file__).parent / "lexicons"

_NAME = r"[A-Z][a-z\x80-\xff'\-]+ (?:[A-Z]\. )?[A-Z][a-z\x80-\xff'\-]+"
_AUXILIARY = (
    r"(?:'m|'ve|'d|'s|'re)?(?:,? (?:who|am|is|are|was|were|be|been|being|have|has|had|got|get"
    r"|getting|just|recently|also|currently|still|now|actually|almost"
    r"|never|not|already|later|then|once|only|both|might|may|could|will|think i|has also|did|do"
    r"|does|feel|keep|since|really|wrongfully|wrongly|unfairly"
    r"|severely|newly|again|last (?:week|month|year)|yesterday|today|officially|suddenly|about to(?: be)?"
    r"|going to(?: be)?|afraid of being"
    r"|that i|that he|that she)){0,5}"
)
_ADJECTIVES = (
    r"(?:(?:a|an|the|my|his|her|their|some|severe|mild|chronic|acute|stage [1-4iv]{1,3}|terminal"
    r"|early|advanced|late|metastatic|clinical|type [12]|breast|lung|prostate|colon|ovarian|skin"
    r"|brain|liver|untreated|major|manic|gestational|undiagnosed|really bad|bad|terrible|constant"
    r"|recurring) ){0,4}"
)
_PASSIVE = (
    r"(?:'m|'re|'s| (?:am|is|are|was|were|be|been|being|got|get|getting))(?: (?:just|recently"
    r"|also|never|not|almost|wrongfully|wrongly|unfairly|suddenly|officially|being|been|already"
    r"|falsely)){0,3}"
)
_FIGURE = r"[$\xa3\x80-\xff]{0,4} ?[0-9][0-9,.]*k?"
_GAP = r"(?:[A-Za-z',\x80-\xff\-]+ ){0,6}"


_VERBS = r"(?:owes?|owed|owing|inherited|lost|saved|borrowed|invested|earns?|earned|makes?|made|paid)"
_SUING = (
    r"(?:suing|sued?|evict\w{1,4}|prosecut\w{1,4}|filed (?:a lawsuit )?against|press(?:ing)? charges against"
    r"|divorc\w{1,4}|accus\w{1,4})"
)
_ACTS = (
    r"(?:cut(?:ting|s)?|reduc\w{1,4}|lower\w{0,4}|slash\w{0,4}|withh\w{1,6}|dock\w{0,4}|den(?:y"
    r"|ied|ies|ying)|refus\w{1,4} to (?:give|pay|promote)|fir(?:e|ed|ing) me|lay(?:ing)? me off"
    r"|demot\w{1,4}|terminat\w{1,4}|harass\w{0,4}|bull(?:y|ied|ying)|retaliat\w{1,4}|discriminat\w{1,4}"
    r"|underpa\w{1,5}|threat\w{1,6}|yell\w{0,4} at me|hit(?:ting)? on me|grop\w{1,4}|promis\w{1,4} me"
    r"|overlook\w{0,4} me|put me on)"
)
_REACH = 200
"""How many bytes around a term a telling may span: the patterns' gaps are counted in words, and stay well below this."""


@dataclass(frozen=True, slots=True)
class _Telling:
    """One way to tell a fact: its category, pattern and score."""

    category: str
    source: Any
    score: float


def find_narratives(view: View) -> Iterator[Hit]:
    """Yield the sentences' parts that tell a regulated fact about a person."""
    for begin, end in _passages(view):
        passage = view.data[begin:end]
        for telling in _tellings():
            for found in telling.source.finditer(passage):
                span = (begin + found.start(), begin + found.end())
                yield Hit(*span, f"{telling.category.upper()}_FACT", telling.category, telling.score, "narrative")


def _passages(view: View) -> Iterator[tuple[int, int]]:
    """Yield the stretches around the lexicons' terms: most texts have none, and pay for one pass only."""
    begin = end = 0
    for found in _any_term().finditer(view.data):
        if found.start() - _REACH > end:
            if end:
                yield begin, end
            begin = found.start() - _REACH if found.start() > _REACH else 0
            # Start at a word, so that half a word is not taken for one.
            begin = max(view.data.find(b" ", begin, found.start()), 0) if begin else 0
        end = min(found.end() + _REACH, len(view.data))
    if end:
        yield begin, end


def warm() -> None:
    """Compile the patterns now rather than at the first text."""
    _tellings()


def _terms(*names: str) -> str:
    """Return the alternation of one or more lexicons."""
    lines = [line.strip() for name in names for line in (_LEXICONS / f"{name}.txt").read_text("utf-8").splitlines()]
    return "(?:" + "|".join(line for line in lines if line and not line.startswith("#")) + ")"


def _whose() -> tuple[str, str]:
    """Return who can be told about: as a subject, and as an owner."""
    kin = _terms("subjects")
    somebody = (
        rf"(?i:my|our|his|her) (?i:[a-z]+ )?(?i:{kin})(?: [A-Z][a-z]+){{0,2}}"
        rf"|(?:Mr|Mrs|Ms|Miss|Dr)\.? [A-Z][a-z\x80-\xff'\-]+(?: [A-Z][a-z'\-]+)?"
        rf"|(?i:(?:the|this|our) (?:patient|claimant|employee|tenant))|(?i:\b(?:patient|employee|client"
        rf"|tenant))(?:(?: [A-Z][a-z]+){{1,2}}| #?[0-9]+)"
        rf"|{_NAME}"
    )
    subject = rf"\b(?:[Ii]\b|(?i:we)\b|{somebody})(?:,? [0-9]+,?)?"
    owner = rf"\b(?:(?i:my|our)\b|(?:{somebody})'s?)"
    return subject, owner


@cache
def _any_term() -> Any:
    """Return the pattern of all that a telling needs: some term of some lexicon, or the speaker's suing and earning."""
    kinds = ("events", "things")
    names = [f"{category}_{kind}" for category in ("health", "employment", "legal", "finance") for kind in kinds]
    terms = _terms(*names, "health_conditions", "health_states", "employment_done", "legal_done")
    return pattern(rf"(?i)\b(?:{terms}|{_VERBS}|{_SUING}|{_ACTS})\b")


@cache
def _tellings() -> tuple[_Telling, ...]:
    """Return the patterns, built from the lexicons once."""
    subject, owner = _whose()
    rows = [*_events(subject), *_health(subject, owner), *_money(subject, owner), *_work(owner), *_law(owner)]
    return tuple(_Telling(category, pattern(source), score) for category, source, score in rows)


def _events(subject: str) -> Iterator[tuple[str, str, float]]:
    """What happened to somebody."""
    for category in ("health", "employment", "legal", "finance"):
        yield category, rf"{subject}{_AUXILIARY} (?i:{_terms(f'{category}_events')})\b", 0.8
    for category in ("employment", "legal"):
        yield category, rf"{subject}{_AUXILIARY}{_PASSIVE} (?i:{_terms(f'{category}_done')})\b", 0.8


def _health(subject: str, owner: str) -> Iterator[tuple[str, str, float]]:
    """What somebody has, is, and what belongs to their care."""
    conditions = _terms("health_conditions")
    having = (
        r"(?:have|has|had|'ve|having|living with|lives? with|battling|fighting|beat|survived|caught"
        r"|developed|diagnosed with|deal(?:ing|s)? with|managing|treated for|hospitali[sz]ed (?:for"
        r"|with)|died (?:of|from))(?: got| had)?"
    )
    says = (
        r"(?:is|are|was|were|has|have|had|came|come|comes|says?|said|told|thinks?|wants?|showed?|shows"
        r"|went|gave|put|prescribed|diagnosed|recommended|suspects?|found|keeps?|revealed|increased"
        r"|got|started)"
    )
    yield "health", rf"{subject}{_AUXILIARY} ?(?i:{having} {_ADJECTIVES}{conditions})\b", 0.8
    yield "health", rf"{owner} (?i:{_ADJECTIVES}{conditions})\b", 0.7
    yield (
        "health",
        rf"{subject}(?i:'m|'s| am| is| was| were| are| became| got| been)(?i:(?: [a-z0-9]+){{0,3}} {_terms('health_states')})\b",
        0.8,
    )
    yield (
        "health",
        rf"{owner} (?i:(?:[a-z0-9]+ ){{0,2}}{_terms('health_things')}(?: (?:results?|levels?))? {says})\b",
        0.65,
    )


def _money(subject: str, owner: str) -> Iterator[tuple[str, str, float]]:
    """What somebody owns, owes and earns: a possession or a verb, with a figure."""
    amount = (
        rf"(?:(?:is|was|of|are|at|:|=|(?:went|dropped|fell|rose|is down|is up)(?: down| up)? to|has"
        rf"|only|now|about|around|over|under|just|roughly|nearly|currently|almost) ?){{1,5}}{_FIGURE}"
    )
    yield (
        "finance",
        rf"{owner} (?i:(?:[a-z0-9]+ ){{0,2}}{_terms('finance_things')}(?: (?:is|was|of|are|at)|:)? {amount})",
        0.75,
    )
    yield (
        "finance",
        rf"{subject}{_AUXILIARY} (?i:owes?|owed|owing|inherited|lost|saved|borrowed|invested)(?i:(?: [a-z]+){{0,3}}) {_FIGURE}",
        0.65,
    )
    yield "employment", rf"{owner} (?i:(?:[a-z0-9]+ ){{0,2}}{_terms('employment_things')} {amount})", 0.8
    yield (
        "employment",
        (
            rf"{subject}{_AUXILIARY} (?i:earns?|earned|makes?|made|gets? paid|(?:am|is|was|being) paid)(?i:(?: (?:about"
            rf"|around|only|just|over|under|roughly|exactly|nearly))?) {_FIGURE} ?(?i:k\b|a year|per year"
            rf"|an hour|per hour|/|a month|per month|annually|yearly|before tax|after tax|base|usd|dollars"
            rf"|euros|pounds)"
        ),
        0.75,
    )


def _work(owner: str) -> Iterator[tuple[str, str, float]]:
    """What the speaker's superiors do to them."""
    people = _terms("employment_people")
    yield "employment", rf"\b(?i:my|our) (?i:[a-z]+ )?(?i:{people}) (?i:{_GAP}{_ACTS})\b", 0.75
    yield (
        "employment",
        (
            rf"{owner} (?i:(?:[a-z]+ ){{0,2}}{_terms('employment_things')} (?:was|is being|got|has been"
            rf"|is going to be|will be|gets?) (?:cut|reduced|denied|withheld|docked|rejected|cancell?ed"
            rf"|rescinded|slashed|bad|poor|terrible|below))\b"
        ),
        0.7,
    )


def _law(owner: str) -> Iterator[tuple[str, str, float]]:
    """What belongs to somebody's legal trouble."""
    says = (
        r"(?:is|are|was|were|has|have|had|says?|said|told|thinks?|wants?|advised|filed|recommended"
        r"|starts?|got|will|ends?|went|expires?|expired|suggested)"
    )
    yield "legal", rf"{owner} (?i:(?:ex-?)?(?:[a-z]+ ){{0,2}}{_terms('legal_things')} {says})\b", 0.7
    yield "legal", rf"\b(?i:my|our) (?i:{_GAP}{_SUING} (?:me|us|my|him|her))\b", 0.75
    yield (
        "legal",
        (
            rf"\b(?i:(?:i am|i'm|we are|we're|i will be|i want to|i plan to) (?:suing|divorcing|sue|divorce"
            rf"|pressing charges against|press charges against) )(?:{_NAME}|(?i:my|our|the))"
        ),
        0.75,
    )
