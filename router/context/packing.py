"""Which of the ranked passages go into the prompt? The best ones that fit a token budget, none twice over."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

Passage = TypeVar("Passage")

_WORD: Final = re.compile(r"\w+")
_SHINGLE_WORDS: Final = 5
_ALIKE: Final = 0.8
"""From this share of common word sequences on, the shorter passage says nothing that the longer one does not."""


def estimate_tokens(text: str) -> int:
    """Estimate a text's tokens, rather too many than too few: one for three bytes of UTF-8 (as `router.decide.judge` does)."""
    return -(-len(text.encode("utf-8", "replace")) // 3)


def without_repetitions(ranked: Iterable[Passage], text_of: Callable[[Passage], str], most: int) -> list[Passage]:
    """Return the first `most` passages that repeat none before them, in order.

    Two passages are alike when the shorter one's sequences of five words are, to four fifths, the other's as well (containment rather
    than Jaccard's share: a passage quoted inside a longer one is a repetition too).
    """
    kept: list[Passage] = []
    seen: list[frozenset[tuple[str, ...]]] = []
    for passage in ranked:
        if len(kept) == most:
            break
        shingles = _shingles(text_of(passage))
        if any(_contained(shingles, other) for other in seen):
            continue
        kept.append(passage)
        seen.append(shingles)
    return kept


def pack(
    ranked: Sequence[Passage],
    text_of: Callable[[Passage], str],
    most: int,
    budget_tokens: int | None,
    tokens: Callable[[str], int] = estimate_tokens,
) -> list[Passage]:
    """Return up to `most` passages whose tokens together stay within the budget (None: no bound), in order.

    Best first. One that does not fit is left out and the next one tried: a long passage must not keep a short one out. None is cut:
    half a passage has neither the hash nor the meaning of the whole one.
    """
    packed: list[Passage] = []
    left = budget_tokens
    for passage in ranked:
        if len(packed) == most:
            break
        if left is not None:
            size = tokens(text_of(passage))
            if size > left:
                continue
            left -= size
        packed.append(passage)
    return packed


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    if len(words) <= _SHINGLE_WORDS:
        return frozenset([tuple(words)])
    return frozenset(tuple(words[at : at + _SHINGLE_WORDS]) for at in range(len(words) - _SHINGLE_WORDS + 1))


def _contained(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    return len(one & other) >= _ALIKE * min(len(one), len(other))
