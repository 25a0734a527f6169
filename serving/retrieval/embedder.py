"""What does a text mean, as vectors? One for each of its tokens, and their mean for the whole: all-MiniLM-L6-v2, on this machine.

Nothing is fetched: the model's folder is checked against its manifest, and the tokenizer is read from the file in it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import FolderUnfit
from models.manifest import verify_folder
from models.minilm import NAME
from router.errors import RetrievalUnavailable
from serving.retrieval.bert import Bert

TOKENS: Final = 384
"""How many tokens of a text are read. The model was trained on 256 and takes 512; the passages of an index are split below this."""
_BATCH_TOKENS: Final = 4096
_THREADS: Final = 2

Vectors = NDArray[np.float32]
TokenVectors = NDArray[np.float16]
Advance = Callable[[int], None]
"""Told how many texts were embedded since the last call."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A text as vectors of length 1: `whole` (width) and one for each token (tokens × width), with the tokens' numbers."""

    whole: Vectors
    tokens: TokenVectors
    token_ids: NDArray[np.int32]


class Embedder(Protocol):
    """A model that turns texts into vectors. `weights_hash` says which: vectors of two models can't be compared."""

    name: str
    width: int

    @property
    def weights_hash(self) -> str:
        """SHA-256 over the model folder's manifest."""
        ...

    def tokens_in(self, text: str) -> int:
        """Count a text's tokens, uncut."""
        ...

    def embed(self, texts: Sequence[str], advance: Advance = lambda _: None) -> Iterator[tuple[int, Embedded]]:
        """Yield each text's position and its vectors, in any order."""
        ...


class MiniLm:
    """The embedder that ships. The model is loaded when it is first asked."""

    name = NAME
    width = 384

    def __init__(self, models: Path, threads: int = _THREADS) -> None:
        self._folder, self._threads = models / NAME, threads

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the folder's manifest, its files read and found to agree. Raises `RetrievalUnavailable`."""
        try:
            return verify_folder(self._folder)
        except FolderUnfit as error:
            raise RetrievalUnavailable(f"the embedding model can't be used: {error}") from error

    def tokens_in(self, text: str) -> int:
        """Count a text's tokens, uncut, without the two that frame it."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed(self, texts: Sequence[str], advance: Advance = lambda _: None) -> Iterator[tuple[int, Embedded]]:
        """Yield each text's position and its vectors, the shortest first: texts of one length waste no padding."""
        import torch

        ids = [
            encoded.ids[: TOKENS - 1] + encoded.ids[-1:] if len(encoded.ids) > TOKENS else encoded.ids
            for encoded in self._tokenizer.encode_batch(list(texts))
        ]
        for batch in _batches(ids):
            longest = max(len(ids[at]) for at in batch)
            tokens = torch.zeros(len(batch), longest, dtype=torch.long)
            mask = torch.zeros(len(batch), longest, dtype=torch.long)
            for row, at in enumerate(batch):
                tokens[row, : len(ids[at])] = torch.tensor(ids[at])
                mask[row, : len(ids[at])] = 1
            with torch.inference_mode():
                hidden = self._model.hidden(tokens, mask.bool())
                whole = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
                whole = torch.nn.functional.normalize(whole, dim=-1).numpy()
                each = torch.nn.functional.normalize(hidden, dim=-1).half().numpy()
            for row, at in enumerate(batch):
                yield at, Embedded(whole[row], each[row, : len(ids[at])].copy(), np.array(ids[at], dtype=np.int32))
            advance(len(batch))

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _model(self) -> Bert:
        import torch

        assert self.weights_hash  # Read and found to agree before anything is loaded from it.
        torch.set_num_threads(self._threads)
        return Bert.load(self._folder)


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield positions in batches of about equal work, shortest first."""
    batch: list[int] = []
    for at in sorted(range(len(ids)), key=lambda at: len(ids[at])):
        if batch and (len(batch) + 1) * len(ids[at]) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
