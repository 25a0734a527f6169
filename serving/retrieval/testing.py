"""An embedder without a model, shipped so that indexes can be tested in milliseconds: a word has always the same vector."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from serving.retrieval.embedder import Advance, Embedded, Vectors

_WORD: Final = re.compile(r"\w+")


class WordEmbedder:
    """Each word is a token; a text is the mean of its words. `asked` are the texts that were embedded, in order."""

    name = "words"
    width = 16

    def __init__(self, weights_hash: str = "a" * 64, broken_after: int | None = None) -> None:
        self._weights_hash, self._left = weights_hash, broken_after
        self.asked: list[str] = []

    @property
    def weights_hash(self) -> str:
        """The hash that it was given."""
        return self._weights_hash

    def tokens_in(self, text: str) -> int:
        """Count words."""
        return len(_WORD.findall(text))

    def embed(self, texts: Sequence[str], advance: Advance = lambda _: None) -> Iterator[tuple[int, Embedded]]:
        """Yield each text's vectors. Raises `KeyboardInterrupt` after `broken_after` texts, as an impatient person does."""
        for at, text in enumerate(texts):
            if self._left is not None and len(self.asked) >= self._left:
                raise KeyboardInterrupt
            self.asked.append(text)
            # A frame around the words, as the real tokenizer has one.
            words = ["[", *_WORD.findall(text.lower()), "]"]
            each = np.stack([_vector(word, self.width) for word in words])
            whole = each.mean(axis=0)
            numbers = np.array(
                [int(hashlib.sha256(word.encode()).hexdigest()[:6], 16) for word in words], dtype=np.int32
            )
            yield at, Embedded(whole / np.linalg.norm(whole), each.astype(np.float16), numbers)
            advance(1)


def _vector(word: str, width: int) -> Vectors:
    seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
    vector: Vectors = np.random.default_rng(seed).standard_normal(width).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))
