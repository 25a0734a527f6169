"""What does a person read of `lane models fit`? The best layout number by number, then all layouts in one line each."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.fit import figures_of
from models.fit import Fit, NoLayout, Wish, caveats
from models.gpus import GpuCount
from models.memory import GIB, Figure

_NAMES: Final = {
    "budget": "memory for the engine",
    "weights": "weights",
    "activations": "activations of a step",
    "overhead": "overhead",
    "kv_room": "room for the KV cache",
    "kv_per_token": "KV cache of a token",
    "kv_capacity": "tokens that the cache holds",
    "largest_context": "largest context",
    "largest_batch": "requests at once",
}


def print_fit(model: str, gpus: GpuCount, wish: Wish, found: list[Fit | NoLayout], would: tuple[str, ...]) -> None:
    """Print the layouts, and where none fits, by how much and what would."""
    console = Console()
    fits = [one for one in found if isinstance(one, Fit)]
    best = next((one for one in fits if one.fits), None) or min(fits, key=lambda one: one.short_bytes, default=None)
    if best is None:
        console.print(f"{model} can't be shared over {gpus.count} × {gpus.gpu.title}")
    else:
        _print_figures(console, model, gpus, best)
    _print_layouts(console, gpus, found)
    for caveat in caveats(gpus.gpu, wish.precision):
        console.print(Text(f"Note: {caveat}."))
    if best is not None and not best.fits:
        console.print(
            f"[red]It does not fit[/red]: a request of {wish.context:,} tokens lacks {best.short_bytes / GIB:.1f} GiB a GPU."
        )
        for option in would:
            console.print(Text(f"  {option}"))
        if not would:
            console.print("  Nothing that was tried would fit: take a GPU with more memory.")


def _print_figures(console: Console, model: str, gpus: GpuCount, one: Fit) -> None:
    title = f"{model} in {one.wish.precision} on {gpus.count} × {gpus.gpu.title}: {one.layout.name}, figures of one GPU"
    table = Table("", "", "how", "source", title=title, title_justify="left", show_lines=True)
    for name, figure in figures_of(one).items():
        table.add_row(_NAMES[name], _in_words(figure), Text(figure.formula), Text(figure.source))
    console.print(table)


def _print_layouts(console: Console, gpus: GpuCount, found: list[Fit | NoLayout]) -> None:
    table = Table("layout", "replicas", "weights", "KV room", "cache holds", "largest context", "at once", "")
    for one in found:
        if isinstance(one, NoLayout):
            table.add_row(one.layout.name, "", "", "", "", "", "", Text(f"no: {one.because}"))
            continue
        table.add_row(
            one.layout.name,
            str(gpus.count // one.layout.gpus),
            _in_words(one.weights),
            _in_words(one.kv_room),
            _in_words(one.kv_capacity),
            _in_words(one.largest_context),
            str(int(one.largest_batch.value)),
            Text("fits", "green") if one.fits else Text(f"lacks {one.short_bytes / GIB:.1f} GiB", "red"),
        )
    console.print(table)


def _in_words(figure: Figure) -> str:
    match figure.unit:
        case "bytes":
            return f"{figure.gib:.2f} GiB"
        case "bytes/token":
            return f"{figure.value:,.0f} B"
        case "tokens":
            return f"{figure.value:,.0f} tokens"
        case "sequences":
            return f"{figure.value:,.0f}"
