"""Which all-digit identifiers stand here? Groups of digits are found in one pass, then held against the table in `schemes`."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from router.scan import cards, checks
from router.scan.schemes import SCHEMES, Scheme
from router.scan.text import Detector, Family, Hit, Triggers, View, pattern

_RUN = pattern(rb"[0-9](?:[ \-./:_]?[0-9]){6,}")
_GROUP = re.compile(rb"[0-9]+")
_CARD_GROUPS: Final = {
    *((length,) for length in range(12, 20)),
    *((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 4, 4, 1), (6, 13), (4, 5, 6)),
}

_OTHERWISE = pattern(
    rb"(?:order|invoice|ticket|tracking|parcel|case|build|version|sku|part|isbn|issn|serial|issue"
    rb"|commit|model|item|article|amount|total|sum"
    rb"|calculate|compute|divide|multiply|times|plus|minus|price|cost|population|pages?|doi|pmid"
    rb"|port|revision|batch|[$\xa3]|=|\+|\*)"
    rb"(?: (?:no|number|id|num|of|by|is|was))?[ .:#]{0,3}$"
)
"""Words that say a bare number is something else."""


def _by_groups() -> dict[tuple[int, ...], list[tuple[int, Scheme]]]:
    """Index the schemes, with their places in the table, by the groups they may be written in; the bare form is one group."""
    table: dict[tuple[int, ...], list[tuple[int, Scheme]]] = {}
    for index, scheme in enumerate(SCHEMES):
        for groups in {*scheme.groups, (scheme.length,)}:
            table.setdefault(groups, []).append((index, scheme))
    return table


_CUES: Final = Triggers(scheme.cue.encode() for scheme in SCHEMES)
_TABLE: Final = _by_groups()
_WRITTEN: Final = frozenset(_TABLE) | _CARD_GROUPS
_BEGINNINGS: Final = frozenset(groups[:end] for groups in _WRITTEN for end in range(1, len(groups) + 1))
"""What a run's groups must begin with to become an identifier: most runs are given up at their first group."""
_LISTED: Final = 0.3
"""Below this a hit says nothing: it is not even listed."""
_CARD_CUE = pattern(rb"card|visa|master ?card|amex|credit|debit|pan\b|pay")


def find_numbers(view: View) -> Iterator[Hit]:
    """Yield the identifiers made of digits."""
    for run in view.each(_RUN):
        origin = run.start()
        view.budget.spend((run.end() - origin) >> 4)
        spans = [(origin + group.start(), origin + group.end()) for group in _GROUP.finditer(run.group())]
        lengths = tuple(end - start for start, end in spans)
        for first in range(len(spans)):
            last = first
            while lengths[first : last + 1] in _BEGINNINGS:
                last += 1
                if lengths[first:last] in _WRITTEN:
                    whole = not _goes_on(view, spans, first, last)
                    yield from _identifiers(view, lengths[first:last], spans[first:last], whole=whole)
                if last == len(spans):
                    break
        if len(spans) > 1:
            yield from _card(view, spans)


def _goes_on(view: View, spans: list[tuple[int, int]], first: int, last: int) -> bool:
    """Whether a group beside `spans[first:last]` is joined to them as they are to each other: then they are part of something longer."""
    between = {view.data[spans[at][1] : spans[at + 1][0]] for at in range(first, last - 1)}
    beside = [at for at in (first - 1, last - 1) if at >= 0 and at + 1 < len(spans)]
    return any(view.data[spans[at][1] : spans[at + 1][0]] in between for at in beside)


def _identifiers(view: View, groups: tuple[int, ...], spans: list[tuple[int, int]], *, whole: bool) -> Iterator[Hit]:
    """Yield what these neighbouring groups are together; `whole` when no other group is joined to them."""
    start, end = spans[0][0], spans[-1][1]
    if not view.stands_alone(start, end) or _decimal(view, spans):
        return
    if groups in _CARD_GROUPS:
        yield from _card(view, spans)
    rows = _TABLE.get(groups, ())
    view.budget.spend(len(rows))
    digits = b"".join(view.data[begin:stop] for begin, stop in spans).decode()
    before = view.before(start)
    cued = _CUES.seen(before + b"\n" + view.after(end))
    otherwise = _OTHERWISE.search(before.rpartition(b"\n")[2]) is not None
    alone = view.fills_its_line(start, end)
    for index, scheme in rows:
        score = scheme.bare if len(groups) == 1 else scheme.grouped
        if index in cued:
            score = 0.95
        elif otherwise and not scheme.sure:
            score = min(score, 0.3)
        elif not whole and not scheme.sure:
            continue  # A part of something longer.
        elif alone and score >= _LISTED:
            score = max(score, scheme.alone)
        if score >= _LISTED and scheme.holds(digits):
            yield Hit(start, end, scheme.entity, scheme.category, score, "check_digit")


def _decimal(view: View, spans: list[tuple[int, int]]) -> bool:
    """Whether two groups around a point are a decimal number rather than an identifier."""
    return len(spans) == 2 and view.data[spans[0][1] : spans[1][0]] in {b".", b":", b"/"}


def _card(view: View, spans: list[tuple[int, int]]) -> Iterator[Hit]:
    """Yield a payment card. Whatever the groups: a run of 12 to 19 digits in all, spaced or dashed as the writer liked."""
    start, end = spans[0][0], spans[-1][1]
    if (
        end - start > 60
        or not 12 <= sum(stop - begin for begin, stop in spans) <= 19
        or not view.stands_alone(start, end)
    ):
        return
    between = {view.data[left[1] : right[0]] for left, right in pairwise(spans)}
    if not between <= {b" ", b"-", b".", b"_"} or len(between) > 1:
        return
    digits = b"".join(view.data[begin:stop] for begin, stop in spans).decode()
    cued = _CARD_CUE.search(view.before(start)) is not None
    # Called a card, it need not begin as a known issuer's do.
    if cards.card(digits) or (cued and len(set(digits)) > 1 and checks.luhn(digits)):
        likely = len(digits) >= 13 and digits[0] != "1"
        yield Hit(start, end, "CREDIT_CARD", "payment", 1.0 if cued else 0.9 if likely else 0.6, "luhn")


FAMILY: Final = Family((Detector(find_numbers, rb"[0-9](?:[ \-./:_]?[0-9]){6}"),))
