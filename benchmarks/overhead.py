"""What do the router and Ray Serve cost? The same requests to bare vLLM and through this system, and both again without an engine.

Ratios are against the bare server of the same run: a shared machine's absolute figures mean little.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.decisions import decision_rows, decision_table
from benchmarks.load import Load, Target, quantile, run_load
from benchmarks.sides import bare_stub, bare_vllm, stub_system, whole_system
from router.bundle import load_bundle
from serving.settings import Settings, read_settings

TOKENS: Final = 32
LANE: Final = "private"
REQUESTS: Final = {1: 12, 16: 64, 64: 128}
STUB_REQUESTS: Final = {1: 20, 16: 320, 64: 640}
STUB_SECONDS_PER_TOKEN: Final = 0.02
_WARM_UP: Final = 8
_TOPICS: Final = (
    "the sea",
    "a lighthouse",
    "two friends",
    "a long winter",
    "an old clock",
    "a mountain",
    "a garden",
    "rain",
)

Side = Callable[[], AbstractContextManager[Target]]


def prompts(count: int, label: str) -> list[str]:
    """Return questions that draw long answers, none like another, so that no prefix cache helps one side."""
    return [f"{label} {n}: tell a very long story about {_TOPICS[n % len(_TOPICS)]}." for n in range(count)]


def measure(
    name: str, side: Side, requests: dict[int, int], most_seconds: float, progress: Progress
) -> dict[int, Load]:
    """Start a side, warm it up, and put each level of concurrency on it."""
    bar = progress.add_task(f"{name}: starting", total=sum(requests.values()))
    loads = {}
    with side() as target:
        asyncio.run(run_load(target, prompts(_WARM_UP, "Warm-up"), _WARM_UP, TOKENS, most_seconds, lambda: None))
        for concurrency, count in requests.items():
            progress.update(bar, description=f"{name}: {concurrency} at once")
            asked = prompts(count, f"Chapter {concurrency}")
            advance = lambda: progress.advance(bar)  # noqa: E731
            loads[concurrency] = asyncio.run(run_load(target, asked, concurrency, TOKENS, most_seconds, advance))
        progress.update(bar, description=f"{name}: ending")
    progress.update(bar, description=name)
    return loads


def compare(name: str, bare: dict[int, Load], ours: dict[int, Load]) -> list[dict[str, Any]]:
    """Return one row a level: both sides' figures, what ours adds, and ours as a share of bare."""
    rows = []
    for concurrency, plain in bare.items():
        load = ours[concurrency]
        row: dict[str, Any] = {
            "comparison": name,
            "concurrency": concurrency,
            "requests": [len(plain.samples), len(load.samples)],
            "tokens_per_second": [round(plain.tokens_per_second, 1), round(load.tokens_per_second, 1)],
            "throughput_ratio": round(load.tokens_per_second / plain.tokens_per_second, 3),
        }
        for part in ("first_token_seconds", "seconds", "per_token_seconds"):
            for share, label in ((0.5, "p50"), (0.99, "p99")):
                both = [quantile([getattr(one, part) for one in side.samples], share) * 1000 for side in (plain, load)]
                key = f"{part.removesuffix('_seconds').replace('seconds', 'request')}_ms_{label}"
                row[key] = [round(value, 2) for value in both]
                row[f"added_{key}"] = round(both[1] - both[0], 2)
        rows.append(row)
    return rows


def table(title: str, rows: Iterable[dict[str, Any]]) -> Table:
    """Return the figures for people: bare, then what this system adds."""
    shown = Table(title=title)
    columns = "at once", "tokens/s bare", "ours", "ratio", "request p50 ms", "added", "p99", "added"
    for column in (*columns, "token p50 ms", "added", "p99", "added", "first p50 ms", "added"):
        shown.add_column(column, justify="right")
    for row in rows:
        cells = [str(row["concurrency"]), *(f"{value:g}" for value in row["tokens_per_second"])]
        cells.append(f"{row['throughput_ratio']:.1%}")
        for key in ("request_ms_p50", "request_ms_p99", "per_token_ms_p50", "per_token_ms_p99", "first_token_ms_p50"):
            cells += [f"{row[key][0]:.1f}", f"{row[f'added_{key}']:+.1f}"]
        shown.add_row(*cells)
    return shown


def run(
    settings: Settings, levels: list[int], parts: list[str], most_seconds: float, console: Console
) -> list[dict[str, Any]]:
    """Run the parts asked for, one server at a time, and return all rows."""
    bundle = load_bundle(settings.bundle)
    spec = bundle.models[str(bundle.lanes[LANE].model)]
    rows: list[dict[str, Any]] = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        if "decide" in parts:
            rows += decision_rows(bundle)
        pairs: dict[str, tuple[Side, Side, dict[int, int]]] = {
            "stub": (
                lambda: bare_stub(STUB_SECONDS_PER_TOKEN),
                lambda: stub_system(settings, bundle, LANE, STUB_SECONDS_PER_TOKEN),
                STUB_REQUESTS,
            ),
            "engine": (
                lambda: bare_vllm(spec, settings.models / spec.folder),
                lambda: whole_system(settings, LANE),
                REQUESTS,
            ),
        }
        for name, (bare, ours, requests) in pairs.items():
            if name in parts:
                asked = {level: requests[level] for level in levels}
                plain = measure(f"{name}, bare", bare, asked, most_seconds, progress)
                rows += compare(
                    name, plain, measure(f"{name}, through the system", ours, asked, most_seconds, progress)
                )
    return rows


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.overhead", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    parser.add_argument("--levels", type=int, nargs="+", default=list(REQUESTS), choices=list(REQUESTS), metavar="N")
    parser.add_argument(
        "--parts", nargs="+", default=["decide", "stub", "engine"], choices=["decide", "stub", "engine"]
    )
    parser.add_argument("--most-seconds", type=float, default=90.0, help="start no request of a level after this")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # So that the servers are ended then too.
    rows = run(read_settings(), arguments.levels, arguments.parts, arguments.most_seconds, Console(stderr=True))
    if arguments.json:
        for row in rows:
            sys.stdout.write(orjson.dumps(row).decode() + "\n")
        return
    console = Console()
    if decisions := [row for row in rows if row["comparison"] == "decide"]:
        console.print(decision_table(decisions))
    for name, title in (
        ("stub", "Without an engine: bare ASGI against the Serve path"),
        ("engine", "Bare vLLM against this system"),
    ):
        if chosen := [row for row in rows if row["comparison"] == name]:
            console.print(table(title, chosen))


if __name__ == "__main__":
    main()
