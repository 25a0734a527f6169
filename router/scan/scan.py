"""What does one text hold? Normalise, ask every detector, map what they saw back onto the text as it was sent.

Each detector is a bounded RE2 pattern over the whole text (a few microseconds for a prompt) and a check on the few candidates it finds.
Nothing here is caught: the caller treats an error as the most restrictive answer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from router.contract import Finding
from router.normalise import Normalised, normalise
from router.scan.contacts import find_emails, find_machines, find_phones, find_streets
from router.scan.credentials import find_assignments, find_random, find_tokens
from router.scan.documents import find_documents, find_ibans, find_wallets
from router.scan.narratives import find_narratives
from router.scan.numbers import find_numbers
from router.scan.people import find_announced, find_births, find_people
from router.scan.text import Hit, View

_MOST_ALIKE: Final = 500
_DETECTORS: Final[tuple[Callable[[View], Iterable[Hit]], ...]] = (
    find_numbers,
    find_documents,
    find_ibans,
    find_wallets,
    find_emails,
    find_phones,
    find_machines,
    find_streets,
    find_tokens,
    find_assignments,
    find_random,
    find_people,
    find_births,
    find_announced,
    find_narratives,
)


def scan_text(text: str, message: int = 0) -> tuple[Finding, ...]:
    """Return everything the detectors see in one message's text, ordered by where it stands.

    Equal texts give equal findings. `message` is carried into each finding; offsets are characters of `text` as given.
    """
    normal = normalise(text)
    view = View(normal.text.encode("utf-8", "surrogatepass"))
    hits = _strongest(hit for detector in _DETECTORS for hit in detector(view))
    return tuple(_findings(hits, view, normal, message))


def warm() -> None:
    """Compile lazily built patterns and load validators, so that the first request does not pay for it."""
    scan_text(
        "Patient Ada Moore, born 1 May 1980, call +44 20 7946 0958 or 4111 1111 1111 1111; GB82WEST12345698765432,"
        " 46-123-45 a@b.example, "
        "10.1.2.3, 11111111116, AB123456C, password=Xk29_fj2!"
    )


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
    return [best[key] for key in sorted(best)]


def _findings(hits: list[Hit], view: View, normal: Normalised, message: int) -> Iterator[Finding]:
    """Map byte offsets to characters of the original. Hits come in order, so that each byte is decoded once."""
    characters = _character_offsets(view, hits)
    for hit in hits:
        start, end = normal.original_span(characters[hit.start], characters[hit.end])
        yield Finding(
            entity=hit.entity,
            category=hit.category,
            message=message,
            start=start,
            end=end,
            score=hit.score,
            detector=hit.detector,
        )


def _character_offsets(view: View, hits: list[Hit]) -> dict[int, int]:
    """Return the character offset of each byte offset that a hit names."""
    offsets = sorted({offset for hit in hits for offset in (hit.start, hit.end)})
    if view.data.isascii():
        return {offset: offset for offset in offsets}
    found: dict[int, int] = {}
    done = characters = 0
    for offset in offsets:
        # Continuation bytes (0b10xxxxxx) start no character.
        characters += sum((byte & 0xC0) != 0x80 for byte in view.data[done:offset])
        done = offset
        found[offset] = characters
    return found
