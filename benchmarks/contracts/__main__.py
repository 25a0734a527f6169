"""`python -m benchmarks.contracts`: the validator beside the official suite, both backends' grammars, the small model under each.

`--only agreement` and `--only grammars` start no engine. `--backend` is `guidance`, `xgrammar` or both, each in a process of its own.
Tables go to stdout, every outcome to `--out` as JSON lines. Exit 1 when the promise is not kept: 99.5% agreement, no invalid instance
let through by a grammar of ours, every completed answer valid.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.contracts.agreement import agreement
from benchmarks.contracts.suite import groups, remotes, suite_folder
from benchmarks.contracts.tables import agreement_table, decoding_table, grammar_table
from benchmarks.contracts.tried import schemas, spread
from models.spec import ModelSpec
from router.bundle import load_bundle

_LEAST_AGREEMENT: Final = 0.995
_MODEL: Final = "smollm2-135m-instruct"


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contracts")
    parser.add_argument("--only", choices=("agreement", "grammars", "decoding"))
    parser.add_argument("--backend", choices=("guidance", "xgrammar", "both"), default="both")
    parser.add_argument("--bundle", type=Path, default=Path("config/starter"))
    parser.add_argument("--tokens", type=int, default=96, help="of each answer, at most")
    parser.add_argument("--seconds", type=float, default=300.0, help="of generating, for each backend")
    parser.add_argument("--most", type=int, default=1000, help="schemas to try, spread over all there are")
    parser.add_argument("--out", type=Path, default=Path(".cache/contracts"))
    asked = parser.parse_args()
    if not suite_folder().is_dir():
        print(
            f"no suite at {suite_folder()}: set LANE_DATA to the folder that holds schemas/json-schema-test-suite",
            file=sys.stderr,
        )
        return 2
    kept = _agreement() if asked.only in {None, "agreement"} else True
    if asked.only in {None, "grammars"}:
        kept = _grammars() and kept
    if asked.only in {"agreement", "grammars"}:
        return 0 if kept else 1
    if asked.backend == "both":
        # Two engines in one process would share what the first left behind.
        codes = [subprocess.call(_again(asked, name)) for name in ("guidance", "xgrammar")]  # noqa: S603 - ourselves
        return 0 if kept and codes[0] == 0 else 1
    return 0 if _decoding(asked) and kept else 1


def _again(asked: argparse.Namespace, backend: str) -> list[str]:
    given = {
        "bundle": asked.bundle,
        "tokens": asked.tokens,
        "seconds": asked.seconds,
        "most": asked.most,
        "out": asked.out,
    }
    options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "benchmarks.contracts", "--only", "decoding", "--backend", backend, *options]


def _agreement() -> bool:
    folder = suite_folder()
    rows = agreement(groups(folder), remotes(folder))
    print(agreement_table(rows))
    return sum(row.ours for row in rows) >= _LEAST_AGREEMENT * sum(row.instances for row in rows)


def _grammars() -> bool:
    with contextlib.redirect_stdout(sys.stderr):
        from benchmarks.contracts.grammars import by_llguidance, by_xgrammar, soundness

        found, folder = groups(suite_folder()), Path(os.environ.get("LANE_MODELS", ".cache/models")) / _MODEL
        counted = {
            "llguidance": soundness(found, by_llguidance),
            "xgrammar": soundness(found, by_xgrammar(str(folder))),
        }
    print(grammar_table(counted))
    return counted["llguidance"]["invalid let through"] == 0


def _decoding(asked: argparse.Namespace) -> bool:
    with contextlib.redirect_stdout(sys.stderr):  # What vLLM prints is no table.
        from benchmarks.contracts.decoding import Bounds, decode

        spec: ModelSpec = load_bundle(asked.bundle).models[_MODEL]
        folder = Path(os.environ.get("LANE_MODELS", ".cache/models")) / spec.folder
        tried = spread(schemas(groups(suite_folder()), asked.bundle), asked.most)
        outcomes = decode(asked.backend, tried, spec, folder, Bounds(asked.tokens, asked.seconds))
    asked.out.mkdir(parents=True, exist_ok=True)
    table, lines = decoding_table(asked.backend, outcomes)
    (asked.out / f"{asked.backend}.jsonl").write_bytes(lines)
    print(table)
    return not any(outcome.errors for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main())
