"""What becomes of a private lane that is asked twenty times what it can do? The system as it is, with a stub in place of the engine.

First what the lane can do is measured, then the load is put on it by tenants that ask for much, for little, and for urgent things.
All figures are ratios of one run. Exit 1 where one of them is out of its bounds.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.load import Target
from benchmarks.overload.clients import Client, closed_loop, open_loop
from benchmarks.overload.measures import Measure, answered, measures
from benchmarks.sides import stub_keys
from router.bundle import load_bundle
from serving.settings import Settings, read_settings

LANE: Final = "private"
SLOTS: Final = 4
TOKENS: Final = 16
SECONDS_PER_TOKEN: Final = 0.05
"""Eight tenths of a second a request, four at once: five requests a second. Twenty times that is still little for the ingress."""
FIRST_TOKEN_SECONDS: Final = 5.0
BASELINE_SECONDS: Final = 6.0
LOAD_SECONDS: Final = 20.0
CLIENTS: Final = (
    Client("urgent", rate=0.5, priority=5),
    Client("flood", rate=10.0),
    Client("heavy", rate=4.5, weight=2.0),
    Client("steady", rate=3.0),
    Client("quiet", rate=2.0),
)


def bundle_for(clients: Sequence[Client], starter: Path, folder: Path, patience: float) -> Path:
    """Write the starter bundle with the benchmark's tenants, and with callers that wait no longer than a few seconds."""
    shutil.copytree(starter, folder, dirs_exist_ok=True)
    tenants: list[dict[str, Any]] = [
        {
            "org": client.org,
            "weight": client.weight,
            "priority": client.priority,
            "keys": [{"id": "default", "minted": True}],
        }
        for client in clients
    ]
    kept = yaml.safe_load((folder / "tenants.yaml").read_text())["tenants"]
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": [*kept, *tenants]}))
    lanes = yaml.safe_load((folder / "lanes.yaml").read_text())
    for lane in lanes["lanes"]:
        if lane["name"] == LANE:
            lane["timeouts"]["first_token_seconds"] = patience
    (folder / "lanes.yaml").write_text(yaml.safe_dump(lanes, sort_keys=False))
    return folder


def run(settings: Settings, module: str, slower: float, console: Console) -> list[Measure]:
    """Start the system (`module`), measure what it can do, put the load on it. `slower`: how much longer all of it takes."""
    baseline_seconds, load_seconds = slower * BASELINE_SECONDS, slower * LOAD_SECONDS
    with tempfile.TemporaryDirectory(prefix="lane-overload-") as folder:
        bundle = bundle_for(CLIENTS, settings.bundle, Path(folder) / "bundle", slower * FIRST_TOKEN_SECONDS)
        own = settings.model_copy(update={"bundle": bundle})
        console.print("starting the system, with a stub in place of the engine")
        with stub_keys(own, load_bundle(bundle), slower * SECONDS_PER_TOKEN, SLOTS, module) as (where, keys):
            targets = {
                client.org: Target(where.host, where.port, LANE, keys[f"{client.org}/default"]) for client in CLIENTS
            }
            console.print(f"what the lane can do: {baseline_seconds:g} s")
            base = asyncio.run(closed_loop(targets["steady"], "steady", 2 * SLOTS, baseline_seconds, TOKENS))
            warm = baseline_seconds / 4
            capacity = len(answered(base, warm, baseline_seconds)) / (baseline_seconds - warm)
            wanted = sum(client.rate for client in CLIENTS)
            console.print(f"{capacity:.1f} requests a second; now {wanted:g} times that: {load_seconds:g} s")
            got = asyncio.run(open_loop(targets, CLIENTS, capacity, load_seconds, TOKENS))
    return measures(got, CLIENTS, capacity, load_seconds / 5, load_seconds)


def table(rows: Sequence[Measure]) -> Table:
    """Return the figures for people."""
    shown = Table(title=f"Twenty times capacity, {SLOTS} places, stub engine")
    for column in ("measure", "value", "bound", "holds", "what it is"):
        shown.add_column(column, justify="right" if column == "value" else "left")
    for row in rows:
        bounds = [
            f">= {row.least:g}" if row.least is not None else "",
            f"<= {row.most:g}" if row.most is not None else "",
        ]
        bound = ", ".join(filter(None, bounds))
        shown.add_row(row.name, f"{row.value:.3g}", bound, ("yes" if row.holds else "NO") if bound else "", row.about)
    return shown


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.overload", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    parser.add_argument(
        "--slower",
        type=float,
        default=1.0,
        metavar="N",
        help="N times longer answers, and so fewer requests: for a busy box",
    )
    parser.add_argument(
        "--alone", action="store_true", help="the ingress by itself, without Ray: starts in seconds on any box"
    )
    arguments = parser.parse_args()
    module = "benchmarks.overload.alone" if arguments.alone else "benchmarks.stub_engine"
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # So that the servers are ended then too.
    rows = run(read_settings(), module, arguments.slower, Console(stderr=True))
    if arguments.json:
        for row in rows:
            sys.stdout.write(orjson.dumps({**asdict(row), "holds": row.holds}).decode() + "\n")
    else:
        Console().print(table(rows))
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
