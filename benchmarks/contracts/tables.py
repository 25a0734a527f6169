"""How are the figures shown? Markdown tables for docs/contracts.md, and a JSON line for each answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import quantiles

import orjson

from benchmarks.contracts.agreement import FileAgreement
from benchmarks.contracts.tried import Outcome


def agreement_table(rows: Sequence[FileAgreement]) -> str:
    """Return one row for each file of the suite, and the sum."""
    lines = ["| file | instances | ours | `jsonschema` |", "|---|---:|---:|---:|"]
    lines += [f"| {row.file} | {row.instances} | {row.ours} | {row.theirs} |" for row in rows]
    of, ours, theirs = (sum(getattr(row, name) for row in rows) for name in ("instances", "ours", "theirs"))
    lines.append(f"| **all** | {of} | {ours} ({ours / of:.2%}) | {theirs} ({theirs / of:.2%}) |")
    return "\n".join(lines)


def grammar_table(counted: Mapping[str, Counter[str]]) -> str:
    """Return a row for each backend: what its grammars say of the suite's instances."""
    columns = (
        "taken", "refused", "schemas that let an invalid one through", "invalid let through", "invalid stopped", "valid let through",
        "valid stopped",
    )  # fmt: skip
    lines = [f"| backend | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | {' | '.join(str(row[column]) for column in columns)} |" for name, row in counted.items()]
    return "\n".join(lines)


def decoding_table(backend: str, outcomes: Sequence[Outcome]) -> tuple[str, bytes]:
    """Return one backend's figures, the invalid answers by name, and every outcome as JSON lines."""
    ends = Counter(outcome.end for outcome in outcomes)
    invalid = [outcome for outcome in outcomes if outcome.errors]
    compiled = [1e3 * outcome.compile_seconds for outcome in outcomes if outcome.end != "refused"]
    cuts = quantiles(compiled, n=100) if len(compiled) > 1 else [0.0] * 99
    completed = [outcome.tokens for outcome in outcomes if outcome.end == "completed"]
    valid = ends["completed"] - len(invalid)
    lines = [
        "| backend | tried | refused up front | truncated | unfinished | completed | valid | grammar, ms p50 / p95 / max | tokens |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        f"| {backend} | {len(outcomes)} | {ends['refused']} | {ends['truncated']} | {ends['unfinished']} | {ends['completed']}"
        f" | {valid} | {cuts[49]:.2f} / {cuts[94]:.1f} / {max(compiled, default=0):.0f} | {sum(completed)} |",
    ]
    lines += [f"invalid: {outcome.tried.name}: {outcome.errors[0]}" for outcome in invalid]
    return "\n".join(lines), b"\n".join(_line(outcome) for outcome in outcomes) + b"\n"


def _line(outcome: Outcome) -> bytes:
    return orjson.dumps(
        {
            "name": outcome.tried.name,
            "end": outcome.end,
            "errors": outcome.errors,
            "because": outcome.because,
            "tokens": outcome.tokens,
            "compile_ms": round(1e3 * outcome.compile_seconds, 3),
            "schema": outcome.tried.schema,
            "text": outcome.text,
        }
    )
