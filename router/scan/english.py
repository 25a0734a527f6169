"""How do people tell facts about themselves and theirs in English? `lexicons/README.md` says what the word lists hold."""

from collections.abc import Iterator

from router.scan.lexicon import terms
from router.scan.telling import Telling

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
_ASIDE = r", [A-Za-z0-9][^,.;:!?\n]{0,40},"
"""What is said of somebody in passing: "Ann, born 1 May 1980, has lupus"."""
_MONEY_VERBS = r"(?:owes?|owed|owing|inherited|lost|saved|borrowed|invested)"
_EARNING = r"(?:earns?|earned|makes?|made|gets? paid|(?:am|is|was|being) paid)"
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


def english() -> Iterator[Telling]:
    """Yield every way we know to tell a regulated fact in English."""
    subject, owner = _whose()
    yield from _events(subject)
    yield from _health(subject, owner)
    yield from _money(subject, owner)
    yield from _work(owner)
    yield from _law(owner)


def _whose() -> tuple[str, str]:
    """Return who can be told about: as a subject, and as an owner."""
    kin = terms("subjects")
    somebody = (
        rf"(?i:my|our|his|her) (?i:[a-z]+ )?(?i:{kin})(?: [A-Z][a-z]+){{0,2}}"
        rf"|(?:Mr|Mrs|Ms|Miss|Dr)\.? [A-Z][a-z\x80-\xff'\-]+(?: [A-Z][a-z'\-]+)?"
        rf"|(?i:(?:the|this|our) (?:patient|claimant|employee|tenant))|(?i:\b(?:patient|employee|client"
        rf"|tenant))(?:(?: [A-Z][a-z]+){{1,2}}| #?[0-9]+)"
        rf"|{_NAME}"
    )
    subject = rf"\b(?:[Ii]\b|(?i:we)\b|{somebody})(?:,? [0-9]+,?|{_ASIDE})?"
    owner = rf"\b(?:(?i:my|our)\b|(?:{somebody})'s?)"
    return subject, owner


def _events(subject: str) -> Iterator[Telling]:
    """What happened to somebody."""
    for category in ("health", "employment", "legal", "finance"):
        events = rf"(?i:{terms(f'{category}_events')})"
        yield Telling(category, events, rf"{subject}{_AUXILIARY} {events}\b", 0.8)
    for category in ("employment", "legal"):
        done = rf"(?i:{terms(f'{category}_done')})"
        yield Telling(category, done, rf"{subject}{_AUXILIARY}{_PASSIVE} {done}\b", 0.8)


def _health(subject: str, owner: str) -> Iterator[Telling]:
    """What somebody has, is, and what belongs to their care."""
    conditions, states, things = (terms(f"health_{kind}") for kind in ("conditions", "states", "things"))
    having = (
        r"(?:have|has|had|'ve|having|living with|lives? with|battling|fighting|beat|survived|caught|developed"
        r"|diagnosed with|deal(?:ing|s)? with"
        r"|managing|treated for|hospitali[sz]ed (?:for|with)|died (?:of|from))(?: got| had)?"
    )
    says = (
        r"(?:is|are|was|were|has|have|had|came|come|comes|says?|said|told|thinks?|wants?|showed?|shows|went|gave|put|prescribed|diagnosed"
        r"|recommended|suspects?|found|keeps?|revealed|increased|got|started)"
    )
    has = rf"{subject}{_AUXILIARY} ?(?i:{having} {_ADJECTIVES}{conditions})"
    yield Telling("health", rf"(?i:{conditions})", rf"(?:{has}|{owner} (?i:{_ADJECTIVES}{conditions}))\b", 0.75)
    being = r"(?i:'m|'s| am| is| was| were| are| became| got| been)"
    yield Telling("health", rf"(?i:{states})", rf"{subject}{being}(?i:(?: [a-z0-9]+){{0,3}} {states})\b", 0.8)
    care = rf"(?i:(?:[a-z0-9]+ ){{0,2}}{things}(?: (?:results?|levels?))? {says})"
    yield Telling("health", rf"(?i:{things})", rf"{owner} {care}\b", 0.65)


def _money(subject: str, owner: str) -> Iterator[Telling]:
    """What somebody owns, owes and earns: a possession or a verb, with a figure."""
    amount = (
        rf"(?:(?:is|was|of|are|at|:|=|(?:went|dropped|fell|rose|is down|is up)(?: down| up)? to|has"
        rf"|only|now|about|around|over|under|just|roughly|nearly|currently|almost) ?){{1,5}}{_FIGURE}"
    )
    accounts, pay = terms("finance_things"), terms("employment_things")
    yield Telling(
        "finance",
        rf"(?i:{accounts})",
        rf"{owner} (?i:(?:[a-z0-9]+ ){{0,2}}{accounts}(?: (?:is|was|of|are|at)|:)? {amount})",
        0.75,
    )
    yield Telling(
        "finance",
        rf"(?i:{_MONEY_VERBS})",
        rf"{subject}{_AUXILIARY} (?i:{_MONEY_VERBS})(?i:(?: [a-z]+){{0,3}}) {_FIGURE}",
        0.65,
    )
    yield Telling("employment", rf"(?i:{pay})", rf"{owner} (?i:(?:[a-z0-9]+ ){{0,2}}{pay} {amount})", 0.8)
    about = r"(?i:(?: (?:about|around|only|just|over|under|roughly|exactly|nearly))?)"
    rate = (
        r"(?i:k\b|a year|per year|an hour|per hour|/|a month|per month|annually|yearly|before tax|after tax|base|usd|dollars|euros"
        r"|pounds)"
    )
    yield Telling(
        "employment", rf"(?i:{_EARNING})", rf"{subject}{_AUXILIARY} (?i:{_EARNING}){about} {_FIGURE} ?{rate}", 0.75
    )


def _work(owner: str) -> Iterator[Telling]:
    """What the speaker's superiors do to them, and what became of their pay."""
    people, pay = terms("employment_people"), terms("employment_things")
    yield Telling(
        "employment", rf"(?i:{_ACTS})", rf"\b(?i:my|our) (?i:[a-z]+ )?(?i:{people}) (?i:{_GAP}{_ACTS})\b", 0.75
    )
    became = (
        r"(?:was|is being|got|has been|is going to be|will be|gets?) (?:cut|reduced|denied|withheld|docked|rejected|cancell?ed|rescinded"
        r"|slashed|bad|poor|terrible|below)"
    )
    yield Telling("employment", rf"(?i:{pay})", rf"{owner} (?i:(?:[a-z]+ ){{0,2}}{pay} {became})\b", 0.7)


def _law(owner: str) -> Iterator[Telling]:
    """What belongs to somebody's legal trouble."""
    says = (
        r"(?:is|are|was|were|has|have|had|says?|said|told|thinks?|wants?|advised|filed|recommended|starts?|got|will|ends?|went|expires?"
        r"|expired|suggested)"
    )
    things = terms("legal_things")
    yield Telling("legal", rf"(?i:{things})", rf"{owner} (?i:(?:ex-?)?(?:[a-z]+ ){{0,2}}{things} {says})\b", 0.7)
    against = r"(?i:(?:i am|i'm|we are|we're|i will be|i want to|i plan to) (?:suing|divorcing|sue|divorce|press(?:ing)? charges against) )"
    whom = rf"{against}(?:{_NAME}|(?i:my|our|the))"
    yield Telling(
        "legal",
        rf"(?i:{_SUING}|sue|divorce)",
        rf"\b(?:(?i:my|our) (?i:{_GAP}{_SUING} (?:me|us|my|him|her))\b|{whom})",
        0.75,
    )
