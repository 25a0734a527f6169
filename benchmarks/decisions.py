"""How long does a decision take, and how does that grow with the prompt? Wall and CPU time, set up as in an ingress."""

import gc
import time
from collections.abc import Iterable
from typing import Any, Final

from rich.table import Table

from benchmarks.load import quantile
from router.bundle import Bundle
from router.contract import Message, RouteRequest, TextPart
from router.decide import decide
from router.scan import warm
from router.state import State

DECISIONS: Final = {500: 2000, 2_000: 2000, 10_000: 500, 100_000: 60, 1_000_000: 8}
"""How many decisions are timed, by the prompt's length in characters."""
_SENTENCES: Final = (
    "Please compare the two delivery options for order {n} and say which one suits a small shop better.",
    "The manual says that the valve opens at {n} degrees, but the table on page 4 gives another figure.",
    "Our team moved the weekly meeting to room {n}, so the old invitation is no longer right.",
    "Summarise the report in five points, name the open questions, and keep the tone friendly.",
    "The customer wrote from jo.doe{n}@example.org that the parcel had not come by Friday.",
)
_SHORTEST: Final = min(map(len, _SENTENCES))


def decision_rows(bundle: Bundle) -> list[dict[str, Any]]:
    """Time decisions on prompts of each length, no two of them equal; return a row of figures a length."""
    warm()
    gc.collect()
    gc.freeze()
    _timed(bundle, 2_000, 50)
    return [_row(length, *_timed(bundle, length, count)) for length, count in DECISIONS.items()]


def decision_table(rows: Iterable[dict[str, Any]]) -> Table:
    """Return the figures for people."""
    shown = Table(title="A decision (scan, topic, label, tier, route, boundary): microseconds")
    for column in ("characters", "decisions", "p50", "p99", "CPU p50", "CPU p99", "CPU p50 per 1,000 characters"):
        shown.add_column(column, justify="right")
    for row in rows:
        figures = (row[name] for name in ("p50", "p99", "cpu_p50", "cpu_p99", "cpu_p50_per_1000_characters"))
        counts = (row["prompt_characters"], row["decisions"])
        shown.add_row(*(f"{value:,}" for value in counts), *(f"{value:,.0f}" for value in figures))
    return shown


def _timed(bundle: Bundle, length: int, count: int) -> tuple[list[float], list[float]]:
    """Return wall and CPU microseconds of each decision."""
    wall, cpu = [], []
    for number in range(count):
        request = RouteRequest(messages=(Message(role="user", content=(_prompt(length, number),)),), org="local")
        began, spent = time.perf_counter_ns(), time.thread_time_ns()
        decide(request, bundle, State())
        cpu.append((time.thread_time_ns() - spent) / 1000)
        wall.append((time.perf_counter_ns() - began) / 1000)
    return wall, cpu


def _prompt(length: int, number: int) -> TextPart:
    sentences = (_SENTENCES[k % len(_SENTENCES)].format(n=number * 31 + k) for k in range(length // _SHORTEST + 1))
    return TextPart(text=" ".join(sentences)[:length])


def _row(length: int, wall: list[float], cpu: list[float]) -> dict[str, Any]:
    figures = {
        f"{kind}p{share * 100:g}": round(quantile(taken, share), 1)
        for kind, taken in (("", wall), ("cpu_", cpu))
        for share in (0.5, 0.99)
    }
    per_thousand = round(figures["cpu_p50"] * 1000 / length, 1)
    return {
        "comparison": "decide",
        "prompt_characters": length,
        "decisions": len(wall),
        **figures,
        "cpu_p50_per_1000_characters": per_thousand,
    }
