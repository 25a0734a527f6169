"""What would a whole transformer say? MiniLM, tuned on the intents, answers for tens of thousands of texts; the small network learns that.

Tuning takes a quarter of an hour on one core, so the answers are kept in the cache, under the hash of what they follow from.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.corpus import OUT_OF_SCOPE, Corpus
from benchmarks.training.phrasings import everyday

EPOCHS: Final = 4
BATCH: Final = 48
RATE: Final = 1.5e-4
HEAD_RATE: Final = 3e-3
SMOOTHING: Final = 0.05
LONGEST: Final = 40
_SEED: Final = 0
_BUCKET: Final = 20
_ANSWERED_AT_ONCE: Final = 256
_SPLICE_SEED: Final = 3
_WITHIN, _BETWEEN, _PROMPTS, _EVERYDAY = 4000, 16000, 1200, 600
_SHORTEST_PROMPT, _PROMPT_WORDS = 4, 20


@dataclass(frozen=True, slots=True)
class Answers:
    """The tutor's logits for each text, a column for each of `names`."""

    texts: tuple[str, ...]
    names: tuple[str, ...]
    logits: NDArray[np.float32]


def answers_of(model: Path, corpus: Corpus, cache: Path) -> Answers:
    """Return the tutor's answers, from the cache where they are there already."""
    labelled = [(example.text, example.intent) for example in corpus.lessons]
    names = (*sorted({intent for _, intent in labelled} - {OUT_OF_SCOPE}), OUT_OF_SCOPE)
    texts = tuple(dict.fromkeys([*(text for text, _ in labelled), *_unlabelled(corpus)]))
    kept = cache / f"answers-{_hash(labelled, texts)}.npz"
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as stored:
            return Answers(texts, names, stored["logits"].astype(np.float32))
    tutor = _Tutor(model, len(names))
    tutor.tune([text for text, _ in labelled], [names.index(intent) for _, intent in labelled])
    logits = tutor.answer(texts)
    np.savez_compressed(kept, allow_pickle=False, logits=logits.astype(np.float16))
    return Answers(texts, names, logits)


def _unlabelled(corpus: Corpus) -> Iterator[str]:
    """Yield texts between the known ones: halves of two requests, of one intent or of two, other prompts, everyday requests."""
    chance = random.Random(_SPLICE_SEED)  # noqa: S311 - sentences, no secrets
    known: dict[str, list[str]] = {}
    for example in corpus.lessons:
        if example.intent != OUT_OF_SCOPE:
            known.setdefault(example.intent, []).append(example.text)
    intents = list(known.values())
    for _ in range(_WITHIN):
        of_one = chance.choice(intents)
        yield _spliced(chance.choice(of_one), chance.choice(of_one), chance)
    everything = [text for texts in intents for text in texts]
    for _ in range(_BETWEEN):
        yield _spliced(chance.choice(everything), chance.choice(everything), chance)
    for prompt in corpus.prompts[:_PROMPTS]:
        words = prompt.text.split("\n")[0].split()
        if len(words) >= _SHORTEST_PROMPT:
            yield " ".join(words[:_PROMPT_WORDS])
    yield from everyday(_EVERYDAY, _SPLICE_SEED)


def _spliced(first: str, second: str, chance: random.Random) -> str:
    head, tail = first.split(), second.split()
    return " ".join([*head[: max(1, chance.randrange(len(head) + 1))], *tail[chance.randrange(len(tail)) :]])


def _hash(labelled: Sequence[tuple[str, str]], texts: Iterable[str]) -> str:
    settings = (EPOCHS, BATCH, RATE, HEAD_RATE, SMOOTHING, LONGEST, _SEED)
    return hashlib.sha256(repr((settings, labelled, tuple(texts))).encode()).hexdigest()[:16]


class _Tutor:
    """MiniLM with a mean over its last states and one output layer."""

    def __init__(self, model: Path, classes: int) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.manual_seed(_SEED)
        torch.set_num_threads(1)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(model))
        self._network: Any = AutoModel.from_pretrained(str(model))
        self._head = torch.nn.Linear(self._network.config.hidden_size, classes)

    def tune(self, texts: Sequence[str], wanted: Sequence[int]) -> None:
        """Tune all of it on the labelled texts."""
        import torch

        groups = [
            {"params": self._network.parameters(), "lr": RATE},
            {"params": self._head.parameters(), "lr": HEAD_RATE},
        ]
        steps = torch.optim.AdamW(groups, weight_decay=0.01)
        batches = [batch for epoch in range(EPOCHS) for batch in _batches(texts, epoch)]
        rates = torch.optim.lr_scheduler.OneCycleLR(
            steps, [RATE, HEAD_RATE], total_steps=len(batches), pct_start=0.1, cycle_momentum=False
        )
        answers = torch.tensor(wanted)
        self._network.train()
        for number, batch in enumerate(batches, start=1):
            states = torch.nn.functional.dropout(self._states([texts[place] for place in batch]), 0.1)
            loss = torch.nn.functional.cross_entropy(self._head(states), answers[batch], label_smoothing=SMOOTHING)
            steps.zero_grad()
            loss.backward()
            steps.step()
            rates.step()
            if number % 100 == 0:
                print(f"tutor: step {number} of {len(batches)}, loss {loss.item():.3f}", flush=True)

    def answer(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the logits of each text; those of like length together, so that nothing is padded in vain."""
        import torch

        self._network.eval()
        order = np.argsort([len(text) for text in texts], kind="stable")
        logits = np.zeros((len(texts), self._head.out_features), np.float32)
        with torch.no_grad():
            for start in range(0, len(order), _ANSWERED_AT_ONCE):
                batch = order[start : start + _ANSWERED_AT_ONCE]
                logits[batch] = self._head(self._states([texts[place] for place in batch])).numpy()
        return logits

    def _states(self, texts: Sequence[str]) -> Any:
        read = self._tokenizer(texts, truncation=True, max_length=LONGEST, padding=True, return_tensors="pt")
        states = self._network(**read).last_hidden_state
        counted = read["attention_mask"][..., None]
        return (states * counted).sum(1) / counted.sum(1)


def _batches(texts: Sequence[str], epoch: int) -> list[NDArray[np.int64]]:
    """Shuffle, then put texts of like length together: a batch costs what its longest text costs."""
    random_order = np.random.default_rng((_SEED, epoch))
    order = random_order.permutation(len(texts))
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), BATCH * _BUCKET):
        part = order[start : start + BATCH * _BUCKET]
        alike = part[np.argsort([len(texts[place]) for place in part], kind="stable")]
        batches += [alike[first : first + BATCH] for first in range(0, len(alike) - BATCH + 1, BATCH)]
    return [batches[place] for place in random_order.permutation(len(batches))]
