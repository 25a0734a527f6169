"""`python -m benchmarks.retrieval`: BM25 alone, light and deep on PubMedQA, and planted false citations over its passages.

Needs the published data (`retrieval/` in `$LANE_DATA`, by default ../shared/data). The passages are embedded once, some minutes on two
cores, and kept in an index under `--home`; what did not change is not embedded again.
"""

import argparse
import os
import sys
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.retrieval.citations import plant
from benchmarks.retrieval.measure import Figures, Half, figures_of, halves, load_questions
from models.minilm import NAME
from router.bundle import load_bundle
from router.contract import Label
from serving.retrieval.add import Addition, add
from serving.retrieval.embedder import MiniLm
from serving.retrieval.opened import OpenIndex

_INDEX = "pubmedqa"


def main() -> int:
    """Measure and print. Exit 0: deep beats light, both beat BM25, no false citation got through; 1: not so; 2: the data is not there."""
    parser = argparse.ArgumentParser(prog="benchmarks.retrieval")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LANE_DATA", "../shared/data")))
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("LANE_MODELS", ".cache/models")))
    parser.add_argument("--home", type=Path, default=Path(".cache/retrieval"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    corpus = arguments.data / "retrieval" / "pubmedqa_corpus.jsonl"
    if not corpus.exists() or not (arguments.models / NAME).is_dir():
        sys.stderr.write(f"not run: {corpus} or {arguments.models / NAME} is not there\n")
        return 2
    embedder = MiniLm(arguments.models)
    tiers = load_bundle(Path("config/starter")).tiers
    add(arguments.home, _INDEX, Addition(corpus, Label()), embedder, tiers)
    index = OpenIndex(arguments.home, _INDEX, embedder)
    rows = [
        (half, figures_of(index, embedder, questions))
        for half, questions in halves(load_questions(arguments.data / "retrieval" / "pubmedqa_questions_dev.jsonl"))
    ]
    planted = plant(index.passages)
    if arguments.json:
        for half, figures in rows:
            for name, one in figures.items():
                print(orjson.dumps({"questions": half, "strategy": name, **one.row()}).decode())
        print(
            orjson.dumps(
                {
                    "planted": planted.planted,
                    "caught": planted.caught,
                    "honest": planted.honest,
                    "accused": planted.accused,
                }
            ).decode()
        )
    else:
        _print(rows)
        print(
            f"Planted false citations caught: {planted.caught} of {planted.planted}; "
            f"honest answers accused: {planted.accused} of {planted.honest}"
        )
    whole = dict(rows)["all"]
    return 0 if _in_order(whole) and planted.caught == planted.planted else 1


def _in_order(figures: dict[str, Figures]) -> bool:
    return figures["bm25"].recall_at_1 < figures["light"].recall_at_1 < figures["deep"].recall_at_1


def _print(rows: list[tuple[Half, dict[str, Figures]]]) -> None:
    table = Table(
        "questions", "strategy", "recall@1", "recall@5", "nDCG@10", "ms a question", title="PubMedQA, by abstract"
    )
    for half, figures in rows:
        for name, one in figures.items():
            values = (f"{value:.4f}" for value in (one.recall_at_1, one.recall_at_5, one.ndcg_at_10))
            table.add_row(half, name, *values, f"{one.milliseconds:.1f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
