"""`lane train`: teach the classifier a bundle's own intents. Offline, in minutes: it starts from the shipped weights."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from router.errors import BadRequest

if TYPE_CHECKING:
    from benchmarks.training.own import Trained


def train(
    data: Annotated[
        Path,
        typer.Option(
            help="The examples: a JSON object of `train`, `val`, `oos_train`, `oos_val`, each a list of [text, intent];"
            ' or JSON lines of `{"text", "intent"}`, where intent `oos` is out of scope.',
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; `lane scan --heads` reads it.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")] = False,
) -> None:
    """Teach the classifier your own intents. Alarms, regulated fields and difficulty stay the shipped ones."""
    from benchmarks.training.own import read_own, train_own

    if out.exists() and not out.is_dir():
        raise BadRequest(f"--out {out}: there is a file of that name; name a folder")
    began = time.perf_counter()
    examples = read_own(data)
    with _progress(f"{len(examples.train)} examples of {len(examples.intents)} intents") as tell:
        trained = train_own(examples, out, data.name, tell)
    seconds = round(time.perf_counter() - began, 1)
    if json:
        typer.echo(orjson.dumps(_summary(trained, out) | {"seconds": seconds}).decode())
    else:
        _print(trained, out, seconds)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int, float], None]]:
    """Show on stderr how far the training is: a bar where a person watches, else a line after each epoch."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    console.print(what, highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("fitting", total=None)

        def tell(epoch: int, of: int, loss: float) -> None:
            bar.update(task, completed=epoch, total=of)
            if not console.is_terminal:
                console.print(f"epoch {epoch} of {of}: loss {loss:.3f}", highlight=False)

        yield tell


def _summary(trained: "Trained", out: Path) -> dict[str, object]:
    return {
        "out": str(out),
        "classifier": trained.heads.version,
        "intents": len(trained.data.intents),
        "examples": len(trained.data.train),
        "held_back": len(trained.data.judge),
        "threshold": trained.heads.threshold,
        "scores": trained.scores,
    }


def _print(trained: "Trained", out: Path, seconds: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("score", "value", title=f"on {len(trained.data.judge)} examples held back", title_justify="left")
    for name, value in trained.scores.items():
        table.add_row(name.replace("_", " "), f"{value:.3f}")
    console = Console()
    console.print(table)
    console.print(f"{out}: classifier {trained.heads.version}, in {seconds:.0f} s. Try: lane scan --heads {out} '…'")
