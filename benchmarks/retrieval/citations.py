"""Does the citation check catch what is planted? Honest answers over real passages, and each with one falsehood of each kind."""

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from router.context import CitationRule, false_citations
from router.contract import Chunk
from serving.retrieval.passages import Passage

_RULE: Final = CitationRule(each_sentence=True)
_ANSWERS: Final = 1000
_SHOWN: Final = 6
_WORDS: Final = re.compile(r"[^\s\"\[\]]+")


@dataclass(frozen=True, slots=True)
class Planted:
    """How many falsehoods were planted and caught, how many honest answers there were and were accused."""

    planted: int
    caught: int
    honest: int
    accused: int


def plant(passages: Sequence[Passage], seed: int = 1) -> Planted:
    """Plant falsehoods in answers that quote passages as they were retrieved. Equal seeds give equal answers."""
    chance = random.Random(seed)  # noqa: S311 - nothing is secret here
    planted = caught = honest = accused = 0
    for _ in range(_ANSWERS):
        chunks = [passage.chunk("pubmedqa", 0.0) for passage in chance.sample(list(passages), _SHOWN)]
        source = chunks[0]
        if (quotation := _quotation(source, chance)) is None:
            continue
        honest += 1
        accused += bool(false_citations(_answer(quotation, source.id), chunks, _RULE, json=False))
        for answer in _false(quotation, source, chunks, passages, chance):
            planted += 1
            caught += bool(false_citations(answer, chunks, _RULE, json=False))
    return Planted(planted, caught, honest, accused)


def _answer(quotation: str, name: str) -> str:
    return f'The study reports "{quotation}" [{name}].'


def _quotation(chunk: Chunk, chance: random.Random) -> str | None:
    """Return eight words in a row of a passage, or None where it has none without brackets and quotation marks."""
    words = chunk.text.split()
    starts = [at for at in range(len(words) - 8) if all(_WORDS.fullmatch(word) for word in words[at : at + 8])]
    return " ".join(words[(at := chance.choice(starts)) : at + 8]) if starts else None


def _false(
    quotation: str, source: Chunk, chunks: Sequence[Chunk], passages: Sequence[Passage], chance: random.Random
) -> Iterator[str]:
    """Yield answers with one falsehood each: ID invented, ID misspelt, ID of what was not retrieved; word changed, other passage, no ID."""
    retrieved = {chunk.id for chunk in chunks}
    yield _answer(quotation, hashlib.sha256(source.id.encode()).hexdigest()[:8])
    yield _answer(quotation, f"{source.id}0")
    elsewhere = next(one.id for one in chance.sample(list(passages), _SHOWN + 1) if one.id not in retrieved)
    yield _answer(quotation, elsewhere)
    words = quotation.split()
    at = chance.randrange(len(words))
    yield _answer(" ".join([*words[:at], "reportedly", *words[at + 1 :]]), source.id)
    other = next((chunk for chunk in chunks[1:] if quotation not in " ".join(chunk.text.split())), None)
    if other is not None:
        yield _answer(quotation, other.id)
    yield f"{_answer(quotation, source.id)} This holds for all patients."
