"""What does one text hold? Normalise, ask every detector whose trigger is there, map what they saw back onto the text as it was sent.

For each kind of detector one automaton passes over the text and says which have anything to look for. Each of these is a bounded RE2
pattern and a check on the few candidates it finds. The work is counted: a text that asks for too much is answered with `UNSCANNED`, for
every category there is. Nothing is caught here but that: the caller treats an error as the most restrictive answer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from router.contract import Finding
from router.normalise import Normalised, Patch, normalise, patched
from router.scan import contacts, credentials, cued, documents, narratives, numbers, people, places
from router.scan.checks import stdnum
from router.scan.lexicon import samples
from router.scan.papers import PAPERS
from router.scan.readings import DEPTH, rewrites
from router.scan.schemes import SCHEMES
from router.scan.text import Budget, Hit, Overrun, View

CATEGORIES: Final = ("pii", "health", "payment", "finance", "employment", "legal", "credentials", "unknown")
"""What an unscanned text may hold: anything. `unknown` alone would let a longer text lose a category that a shorter one had."""

MOST_BYTES: Final = 4 << 20
STEPS: Final = 40_000
"""What one text may cost, in candidates looked at (`Budget`): the worst takes half a second, a usual one some hundred steps."""

_MOST_ALIKE: Final = 500
_FINDERS: Final[tuple[Callable[[View], Iterable[Hit]], ...]] = (
    numbers.FAMILY.find,
    documents.FAMILY.find,
    contacts.FAMILY.find,
    places.FAMILY.find,
    credentials.FAMILY.find,
    people.FAMILY.find,
    cued.FAMILY.find,
    narratives.find_narratives,
)


def scan_text(text: str, message: int = 0) -> tuple[Finding, ...]:
    """Return everything the detectors see in one message's text, ordered by where it stands.

    Equal texts give equal findings. `message` is carried into each finding; offsets are characters of `text` as given. A text that is too
    long, or that asks for too much work, has findings `UNSCANNED` beside whatever was seen until then.
    """
    found: dict[tuple[int, int, str], Hit] = {}
    overrun = False
    try:
        for start, end, hit in _read(text):
            key = (start, end, hit.entity)
            if key not in found or hit.score > found[key].score:
                found[key] = hit
    except Overrun:
        overrun = True
    findings = [
        Finding(
            entity=entity,
            category=hit.category,
            message=message,
            start=start,
            end=end,
            score=hit.score,
            detector=hit.detector,
        )
        for (start, end, entity), hit in sorted(found.items(), key=lambda item: item[0])
    ]
    if overrun:
        findings += [
            Finding(
                entity="UNSCANNED",
                category=category,
                message=message,
                start=0,
                end=len(text),
                score=1,
                detector="budget",
            )
            for category in CATEGORIES
        ]
    return tuple(findings)


def warm() -> None:
    """Scan some samples, so that the first requests do not pay for what is built as texts need it."""
    for check in {row.check for row in (*SCHEMES, *PAPERS)}:
        if isinstance(check, str):
            stdnum(check)
    for sample in samples():
        scan_text(sample)


def _read(text: str) -> Iterator[tuple[int, int, Hit]]:
    """Yield each hit with its span in the text as given, reading after reading; raises `Overrun` after what was seen until then."""
    if len(text) > MOST_BYTES:
        raise Overrun
    budget = Budget(STEPS)
    waiting = [(normalise(text), 0)]
    while waiting:
        reading, depth = waiting.pop()
        view = View(reading.text.encode("utf-8", "surrogatepass"), budget)
        hits, overrun = _ask(view)
        yield from _located(_strongest(hits), view, reading)
        if overrun:
            raise Overrun
        for rewrite in rewrites(view):
            other = patched(reading, _in_characters(view, rewrite(view)))
            if other is not None and depth == DEPTH:
                raise Overrun
            if other is not None:
                waiting.append((other, depth + 1))


def _ask(view: View) -> tuple[list[Hit], bool]:
    """Return what the detectors see, and whether they ran out of steps. What was seen before that stays."""
    hits: list[Hit] = []
    try:
        for find in _FINDERS:
            for hit in find(view):
                hits.append(hit)  # noqa: PERF402  (extend would lose them)
    except Overrun:
        return hits, True
    return hits, False


def _in_characters(view: View, patches: Iterable[Patch]) -> list[Patch]:
    """Map patches' byte offsets to characters."""
    kept = list(patches)
    characters = view.characters(offset for patch in kept for offset in (patch.start, patch.end))
    return [Patch(characters[patch.start], characters[patch.end], patch.text) for patch in kept]


def _strongest(hits: Iterable[Hit]) -> list[Hit]:
    """Keep one hit for each entity and span, the surest, in the order of the text; of equal kind and score the first 500.

    A dump of a hundred thousand cards is told by fewer. Counted by kind and score, so that many weak hits hide no strong one.
    """
    best: dict[tuple[int, int, str], Hit] = {}
    seen: Counter[tuple[str, float]] = Counter()
    for hit in hits:
        seen[hit.entity, hit.score] += 1
        key = (hit.start, hit.end, hit.entity)
        if seen[hit.entity, hit.score] <= _MOST_ALIKE and (key not in best or hit.score > best[key].score):
            best[key] = hit
    return _beside([best[key] for key in sorted(best)])


def _beside(hits: list[Hit]) -> list[Hit]:
    """Raise the names in running text that have something private beside them."""
    private = [(hit.start, hit.end) for hit in hits if hit.score >= _PRIVATE]
    raised: list[Hit] = []
    at = 0
    for hit in hits:
        if hit.entity == "PERSON" and hit.score == people.NAMED:
            while at < len(private) and private[at][1] < hit.start - _NEAR:
                at += 1
            if at < len(private) and private[at][0] <= hit.end + _NEAR:
                hit = replace(hit, score=0.6)  # noqa: PLW2901
        raised.append(hit)
    return raised


_PRIVATE: Final = 0.5
_NEAR: Final = 200


def _located(hits: list[Hit], view: View, reading: Normalised) -> Iterator[tuple[int, int, Hit]]:
    """Map byte offsets to characters of the original. Hits come in order, so that each byte is decoded once."""
    characters = view.characters(offset for hit in hits for offset in (hit.start, hit.end))
    for hit in hits:
        start, end = reading.original_span(characters[hit.start], characters[hit.end])
        yield start, end, hit
