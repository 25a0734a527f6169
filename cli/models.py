"""`lane models`: which models are known, what is known of one, does it fit these GPUs, and put it into a bundle."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from router.errors import BadRequest

if TYPE_CHECKING:
    from models.catalogue import Entry

models_app = typer.Typer(
    no_args_is_help=True, help="The models that can be served: what they are, whether they fit, their weights."
)

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]
Name = Annotated[str, typer.Argument(help="A model's name or alias, in any case.", show_default=False)]


@models_app.command("list")
def show_all(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are there to be sized, not served.")
    ] = False,
    json: Json = False,
) -> None:
    """List the catalogue: parameters, KV cache, context, licence, and the precisions that weights are published in."""
    from models.catalogue import entries

    chosen = [entry for entry in entries().values() if everything or not entry.planning_only]
    if json:
        for entry in chosen:
            typer.echo(orjson.dumps(_row(entry)).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "parameters", "KV a token", "context", "licence", "weights", "for")
    for entry in chosen:
        row = _row(entry)
        table.add_row(
            entry.name,
            _size(row["parameters"], row["active_parameters"]),
            f"{row['kv_bytes_per_token'] / 1024:g} KiB",
            f"{row['context_tokens']:,}",
            entry.licence,
            ", ".join(row["precisions"]),
            "sizing alone" if entry.planning_only else "serving",
        )
    Console().print(table)


@models_app.command()
def show(name: Name, json: Json = False) -> None:
    """Show all that is known of one model: source, shape, parsers, weights, and engine arguments by GPU with their reasons."""
    from models.catalogue import find_model

    with refusals():
        entry = find_model(name)
    if json:
        typer.echo(orjson.dumps(_facts(entry)).decode())
        return
    from cli.show_model import print_entry

    print_entry(entry, _facts(entry))


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what a person may get wrong about a model (a name, a GPU class, a precision, a config.json) into a `BadRequest`."""
    from models.errors import ConfigUnreadable, UnknownEntry, UnknownGpu, UnknownPrecision

    try:
        yield
    except (ConfigUnreadable, UnknownEntry, UnknownGpu, UnknownPrecision) as error:
        raise BadRequest(str(error)) from error


def _row(entry: "Entry") -> dict[str, Any]:
    from models.memory import kv_bytes_per_token

    shape = entry.architecture
    return {
        "name": entry.name,
        "family": entry.family,
        "parameters": shape.parameters,
        "active_parameters": shape.active_parameters,
        "kv_bytes_per_token": int(kv_bytes_per_token(shape, "bf16").value),
        "context_tokens": shape.context,
        "licence": entry.licence,
        "precisions": list(entry.variants) or [entry.published_precision],
        "gpus": [name for setup in entry.setups for name in setup.gpus],
        "planning_only": entry.planning_only,
    }


def _facts(entry: "Entry") -> dict[str, Any]:
    from models.catalogue import engine_for

    def arguments(gpu: str) -> dict[str, Any]:
        return {name: one.model_dump() for name, one in engine_for(entry, gpu).items()}

    shape = entry.architecture
    return {
        **_row(entry),
        "title": entry.title,
        "aliases": list(entry.aliases),
        "same_shape": list(entry.same_shape),
        "source": entry.source,
        "architecture": {
            "model_type": shape.model_type,
            "layers": shape.layers,
            "hidden": shape.hidden,
            "vocabulary": shape.vocabulary,
            "attention": {"kind": type(shape.attention).__name__, **_fields(shape.attention)},
            "windowed_layers": sum(window is not None for window in shape.windows),
            "window_tokens": max((window for window in shape.windows if window), default=None),
            "moe_layers": shape.moe_layer_count,
            "experts": _fields(shape.experts) if shape.experts else None,
            "tied_embeddings": shape.tied_embeddings,
        },
        "chat": {name: one.model_dump() for name, one in entry.chat.items()},
        "variants": {precision: one.model_dump() for precision, one in entry.variants.items()},
        "setups": [
            {"gpu": gpu, "precision": setup.precision, "because": setup.because, "engine": arguments(gpu)}
            for setup in entry.setups
            for gpu in setup.gpus
        ],
    }


def _fields(part: object) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(part)  # type: ignore[call-overload,no-any-return]  # a dataclass of models.architecture


def _size(parameters: int, active: int) -> str:
    """Return the size as people say it: 8.0 B, or 30.5 B (3.0 active)."""
    billions = f"{parameters / 1e9:.2g} B" if parameters < 1e9 else f"{parameters / 1e9:.1f} B"
    return billions if active > parameters * 0.9 else f"{billions} ({active / 1e9:.1f} active)"
