"""`lane plan`: how many GPUs, what people wait, what it costs; or where on these nodes everything of a bundle goes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.lines import write

if TYPE_CHECKING:
    from collections.abc import Collection

    from cluster.planner.answer import Plan
    from cluster.planner.load import Trace
    from cluster.planner.starting import StartTime
    from cluster.profile import Profile
    from models.spec import ModelSpec
    from router.bundle.files import LaneSpec

plan_app = typer.Typer(
    invoke_without_command=True,
    help="How many GPUs for this load, what do people wait, what does it cost? Or: where does all of a bundle go?",
)

_SOURCE_ERROR = "say what is asked: --trace FILE, or --rps with --isl and --osl"
_REQUESTS = 20_000
_DRAWN_AT = 1.0  # Whatever the demand: plans for two rates look at the very same load, and differ by the rate alone.


@plan_app.callback()
def plan(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="A model of the catalogue or the bundle.", show_default=False)
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(help="The GPU class, h100 say, or cpu for this machine.", show_default=False)
    ] = None,
    rps: Annotated[
        float | None,
        typer.Option(min=0.001, help="Requests a second; by default the trace's own rate.", show_default=False),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            help="A recorded load: Azure's CSV, Mooncake's JSON lines (docs/capacity.md).", show_default=False
        ),
    ] = None,
    isl: Annotated[
        int | None, typer.Option(min=1, help="Prompt tokens of a request, without a trace.", show_default=False)
    ] = None,
    osl: Annotated[
        int | None, typer.Option(min=1, help="Answer tokens of a request, without a trace.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the arrivals, without a trace.")] = 0,
    slo: Annotated[str, typer.Option(help="The level to keep: ttft_p95=1s,tpot_p95=40ms.")] = "",
    restricted_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the requests that must stay private.")
    ] = 1.0,
    n_plus: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=8,
            help="Replicas to spare, so that the private part outlives a node; by default what its lanes promise.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp8, bf16, int4, …; by default the weights' own.", show_default=False)
    ] = None,
    kv: Annotated[
        str | None, typer.Option(help="Format of the KV cache; by default the engine's.", show_default=False)
    ] = None,
    tp: Annotated[
        int | None, typer.Option(min=1, help="Look at this tensor parallelism alone.", show_default=False)
    ] = None,
    max_gpus: Annotated[int, typer.Option(min=1, help="GPUs of one node: no replica takes more.")] = 8,
    usd_per_gpu_hour: Annotated[
        float | None, typer.Option(min=0, help="What a GPU costs you; by default an assumed price.", show_default=False)
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    nodes: Annotated[
        Path | None, typer.Option(help="nodes.yaml: pack the bundle's models onto these.", show_default=False)
    ] = None,
    surge: Annotated[
        bool,
        typer.Option(
            "--surge/--no-surge",
            help="With --nodes: an upgrade must have room to start a new replica before the old one stops.",
        ),
    ] = True,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the autoscaling settings into the bundle's models.yaml.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One compact JSON document on stdout.")] = False,
) -> None:
    """Plan capacity for one model, or with --nodes pack a whole bundle.

    Exit 0 with a plan, 1 where none keeps the level or something does not fit, 2 for bad input.
    """
    if context.invoked_subcommand is not None:
        return
    if nodes is not None:
        raise typer.Exit(_pack(bundle, nodes, n_plus or 0, surge=surge, json=json))
    from cluster.planner.engines import Asked, ways_to_run
    from cluster.planner.plan import Question
    from cluster.planner.plan import plan as plan_for
    from cluster.planner.sizing import Demand
    from cluster.planner.slo import parse_slo
    from router.errors import BadRequest
    from serving.settings import read_settings

    if model is None or gpu is None:
        raise BadRequest("--model and --gpu say what is to run where; or --nodes packs a bundle", "--model")
    settings = read_settings(bundle)
    level = parse_slo(slo)
    load = _load(trace, rps, isl, osl, seed)
    models, lanes = _said_in(settings.bundle)
    promised = max((lane.n_plus for lane in lanes if lane.base_model == model), default=0)
    weights = _weights(settings.models, next((one for one in models if one.name == model), None))
    asked = Asked(model, gpu, load, precision=precision, kv=kv, max_gpus=max_gpus, tensor=tp, weights_hash=weights)
    ways = ways_to_run(asked, models, lanes, settings.home / "profiles")
    start = _start(settings.models, next((one for one in models if one.name == model), None), ways.gpu, ways.profile)
    answer = plan_for(
        Question(
            model=model,
            gpu=ways.gpu,
            trace=ways.trace,
            demand=Demand(rps or load.requests_per_second, restricted_share, promised if n_plus is None else n_plus),
            level=level,
            options=ways.options,
            gpus_of_node=max_gpus,
            usd_per_gpu_hour=usd_per_gpu_hour if usd_per_gpu_hour is not None else ways.usd_per_gpu_hour_assumed,
            offers=ways.offers,
            routing=ways.routing,
            grounds=(*ways.grounds, start.ground),
            unfit=ways.unfit,
            notes=ways.notes,
        )
    )
    answer = answer.model_copy(
        update={
            "start_seconds": start.seconds,
            "warm_start_seconds": start.warm_seconds,
            "cold_start_seconds": start.cold_seconds,
        }
    )
    if apply:
        answer = _applied(answer, settings.bundle)
    if json:
        write(answer.model_dump_json().encode())
    else:
        from cli.show_plan import show

        show(answer)
    raise typer.Exit(0 if answer.replicas is not None else 1)


def _load(trace: Path | None, rps: float | None, isl: int | None, osl: int | None, seed: int) -> "Trace":
    from cluster.planner.load import poisson
    from cluster.planner.traces import read_trace
    from router.errors import BadRequest

    if trace is not None:
        if isl is not None or osl is not None:
            raise BadRequest("--trace brings its own lengths: leave --isl and --osl out", "--trace")
        return read_trace(trace)
    if rps is None or isl is None or osl is None:
        raise BadRequest(_SOURCE_ERROR, "--trace")
    return poisson(_DRAWN_AT, isl, osl, _REQUESTS, seed)


def _weights(models: Path, spec: "ModelSpec | None") -> str | None:
    """Return the hash of a model's weights; None where this machine does not have them."""
    from models.errors import FolderUnfit
    from models.manifest import weights_hash

    try:
        return None if spec is None else weights_hash(models / spec.folder)
    except FolderUnfit:
        return None


def _start(models: Path, spec: "ModelSpec | None", gpu: str, profile: "Profile | None") -> "StartTime":
    """Return how long a replica's start takes. This machine's own starts count where the plan is for its kind of machine."""
    from cluster.planner.starting import start_time
    from models.weights.starts import read_starts

    here = spec is not None and (spec.gpu or "cpu").lower() == gpu.lower()
    return start_time(read_starts(models, spec.name) if spec is not None and here else (), spec, profile)


def _applied(plan: "Plan", bundle: Path) -> "Plan":
    """Write the settings that follow from a plan into the bundle; return the plan, which then says so."""
    from cli.edit_models import FILE, replace_models
    from cluster.planner.apply import settings_from, with_scaling

    if plan.replicas is None:
        return plan
    file = bundle / FILE
    replace_models(bundle, with_scaling(file.read_text("utf-8"), plan.model, settings_from(plan)))
    note = f"wrote {file}: it comes into force with `lane bundle apply`, or at the next `lane up`"
    return plan.model_copy(update={"notes": (*plan.notes, note)})


def _said_in(bundle: Path) -> "tuple[Collection[ModelSpec], Collection[LaneSpec]]":
    """Return the bundle's models and lanes; what its boundary promises is no question here, and proving it takes seconds."""
    from router.bundle.source import read_source
    from router.errors import BundleInvalid

    source = read_source(bundle)
    if source.models is None or source.lanes is None:
        raise BundleInvalid(
            f"the bundle {bundle} can't be read: {source.findings[0]}; `lane bundle check {bundle}` says all"
        )
    return source.models.models, source.lanes.lanes


def _pack(bundle: Path | None, nodes: Path, n_plus: int, *, surge: bool, json: bool) -> int:
    """Pack a bundle onto nodes; return 1 where something has no place, with `surge` an upgrade's new replica too."""
    from cluster.nodes import read_nodes
    from cluster.planner.packing import pack
    from cluster.planner.workloads import workloads
    from serving.settings import read_settings

    packing = pack(tuple(workloads(*_said_in(read_settings(bundle).bundle), n_plus)), read_nodes(nodes))
    if json:
        import orjson

        write(orjson.dumps(packing.as_json()))
    else:
        from cli.show_plan import show_packing

        show_packing(packing)
    return 0 if packing.fits and (packing.upgrades_fit or not surge) else 1
