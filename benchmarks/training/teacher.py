"""What does each word piece mean to all-MiniLM-L6-v2? Static vectors, distilled: each piece through the model, then PCA."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.classify.features import NUMBER

_BATCH = 1024


def read_pieces(model: Path) -> tuple[list[int], list[bytes]]:
    """Return the ASCII letters-and-digits pieces of the model's vocabulary: their IDs and their bytes."""
    pieces = (model / "vocab.txt").read_text("utf-8").split("\n")
    kept = [index for index, piece in enumerate(pieces) if piece.isascii() and piece.removeprefix("##").isalnum()]
    return kept, [pieces[index].encode() for index in kept]


def distil(model: Path, dimensions: int) -> tuple[list[bytes], NDArray[np.float32]]:
    """Return the pieces and their vectors, the number's last. Takes half a minute on one core."""
    import torch
    from transformers import AutoModel

    torch.set_num_threads(
        1
    )  # Several threads on shared cores wait for each other a hundred times longer than they work.
    network: Any = AutoModel.from_pretrained(str(model)).eval()
    ids, pieces = read_pieces(model)
    first, last = (_special(model, name) for name in ("[CLS]", "[SEP]"))
    rows = []
    with torch.no_grad():
        for start in range(0, len(ids), _BATCH):
            middle = torch.tensor(ids[start : start + _BATCH])
            batch = torch.stack([torch.full_like(middle, first), middle, torch.full_like(middle, last)], 1)
            states = network(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state
            rows.append(states.mean(1).numpy())
    vectors = np.concatenate(rows)
    vectors = np.vstack([vectors, vectors.mean(0)]) - vectors.mean(0)
    _, _, axes = np.linalg.svd(vectors, full_matrices=False)
    reduced = vectors @ axes[:dimensions].T
    return [*pieces, NUMBER], (reduced / np.abs(reduced).std()).astype(np.float32)


def _special(model: Path, name: str) -> int:
    return (model / "vocab.txt").read_text("utf-8").split("\n").index(name)
