"""`lane models fit`: does a model fit these GPUs? Every number with its formula and its source."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.models import Json, refusals
from router.errors import BadRequest

if TYPE_CHECKING:
    from models.architecture import Architecture
    from models.fit import Fit, NoLayout, Wish
    from models.gpus import GpuCount
    from models.memory import Figure


def fit(
    model: Annotated[
        str, typer.Argument(help="A model of the catalogue, or a folder with a config.json.", show_default=False)
    ],
    gpu: Annotated[str, typer.Option(help="The GPUs of one machine: CLASS or CLASS:N, for example h100:2.")],
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the weights: bf16, fp8, int4 …; by default what the catalogue serves there.", show_default=False
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            help="Tokens of prompt and answer; by default 32,768 or all that the model takes.",
            min=1,
            show_default=False,
        ),
    ] = None,
    kv: Annotated[str, typer.Option(help="Precision of the KV cache: bf16 or fp8.")] = "bf16",
    json: Json = False,
) -> None:
    """Reckon weights, KV cache, activations and overhead on these GPUs, the largest context and batch, and which TP and PP can be.

    Exit 0: at least one request of the whole context fits; 1: it doesn't, and what would is said.
    """
    from models.fit import remedies
    from models.gpus import parse_gpus

    with refusals():
        gpus = parse_gpus(gpu)
        architecture, wish, block = _wished(model, gpus, precision, context, kv)
    if wish.context > architecture.context:
        raise BadRequest(f"--context {wish.context}: {model} takes at most {architecture.context} tokens")
    found = _reckoned(architecture, gpus, wish, block)
    fits = any(one.fits for one in _fits(found))
    would = () if fits else remedies(architecture, gpus.gpu, gpus.count, wish, block)
    if json:
        typer.echo(orjson.dumps(_as_json(model, gpus, wish, found, would)).decode())
    else:
        from cli.show_fit import print_fit

        print_fit(model, gpus, wish, found, would)
    raise typer.Exit(0 if fits else 1)


def _wished(
    model: str, gpus: "GpuCount", precision: str | None, context: int | None, kv: str
) -> "tuple[Architecture, Wish, int]":
    """Return the model's shape, what is asked of it, and the block that its weights are scaled in."""
    from models.catalogue import find_model
    from models.catalogue.choose import USUAL_CONTEXT, wish_for
    from models.fit import Wish
    from models.memory import published_precision, read_precision

    if kv not in {"bf16", "fp8"}:
        raise BadRequest(f"--kv {kv}: the cache is kept in bf16 or fp8")
    asked = read_precision(precision) if precision else None
    folder = Path(model)
    if folder.is_dir() or folder.suffix == ".json":
        shape = _shape_of(folder)
        chosen = Wish(context or min(shape.context, USUAL_CONTEXT), asked or published_precision(shape))
        return shape, replace(chosen, kv="fp8" if kv == "fp8" else "bf16"), 1
    entry = find_model(model)
    wish = wish_for(entry, gpus.gpu, context, asked, "fp8" if kv == "fp8" else "bf16")
    variant = entry.variants.get(wish.precision)
    return entry.architecture, wish, variant.block if variant else 1


def _shape_of(place: Path) -> "Architecture":
    """Read a config.json, or the one in a folder. Raises `BadRequest` where there is none."""
    from models.architecture import architecture_of

    file = place / "config.json" if place.is_dir() else place
    try:
        config = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadRequest(f"{file}: no config.json can be read here: {error}") from error
    if not isinstance(config, dict):
        raise BadRequest(f"{file}: expected a JSON object, the model's config.json")
    return architecture_of(config)


def _reckoned(architecture: "Architecture", gpus: "GpuCount", wish: "Wish", block: int) -> "list[Fit | NoLayout]":
    from models.fit import NoLayout, fit, layouts

    return [
        one if isinstance(one, NoLayout) else fit(architecture, gpus.gpu, one, wish)
        for one in layouts(architecture, gpus.count, block)
    ]


def _fits(found: "list[Fit | NoLayout]") -> "list[Fit]":
    from models.fit import Fit

    return [one for one in found if isinstance(one, Fit)]


def _as_json(
    model: str, gpus: "GpuCount", wish: "Wish", found: "list[Fit | NoLayout]", would: tuple[str, ...]
) -> dict[str, Any]:
    from models.fit import Fit, caveats

    return {
        "model": model,
        "gpu": gpus.gpu.name,
        "gpu_count": gpus.count,
        "precision": wish.precision,
        "kv": wish.kv,
        "context_tokens": wish.context,
        "fits": any(one.fits for one in _fits(found)),
        "layouts": [
            _layout_json(one, gpus.count)
            if isinstance(one, Fit)
            else {"layout": one.layout.name, "because": one.because}
            for one in found
        ],
        "remedies": list(would),
        "caveats": list(caveats(gpus.gpu, wish.precision)),
    }


def _layout_json(one: "Fit", gpus: int) -> dict[str, Any]:
    return {
        "layout": one.layout.name,
        "tensor_parallel_size": one.layout.tensor,
        "pipeline_parallel_size": one.layout.pipeline,
        "replicas": gpus // one.layout.gpus,
        "fits": one.fits,
        "short_bytes": round(one.short_bytes),
        **{name: _figure_json(figure) for name, figure in figures_of(one).items()},
    }


def figures_of(one: "Fit") -> "dict[str, Figure]":
    """Return a fit's figures by name, in the order in which they follow from each other."""
    return {
        "budget": one.budget,
        "weights": one.weights,
        "activations": one.activations,
        "overhead": one.overhead,
        "kv_room": one.kv_room,
        "kv_per_token": one.kv_per_token,
        "kv_capacity": one.kv_capacity,
        "largest_context": one.largest_context,
        "largest_batch": one.largest_batch,
    }


def _figure_json(figure: "Figure") -> dict[str, Any]:
    return {"value": round(figure.value), "unit": figure.unit, "formula": figure.formula, "source": figure.source}
