"""What does a run look like? Latency against throughput with the knee marked, and each waiting time against concurrency."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.throughput.tables import title_of
from cluster.planner.knee import CurvePoint, throughput_at
from cluster.planner.slo import Term
from cluster.profile import Point, Profile, Quantiles, levels_of

_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
    "svg.fonttype": "path",  # Text as outlines: the page looks the same whatever fonts its reader has.
    "svg.hashsalt": "private-lane",
}
# Told apart by people who don't see all colours, and in print (Okabe and Ito).
_MEDIAN, _TAIL, _KNEE, _BOUND = "#0072b2", "#d55e00", "#009e73", "#7f7f7f"
_DPI: Final = 150


def figures(profile: Profile, terms: Sequence[Term] = ()) -> dict[str, Figure]:
    """Return the pictures by name; those of a curve need at least two levels of concurrency."""
    closed = levels_of(profile.points)
    rated = sorted((point for point in profile.points if point.rate is not None), key=lambda point: point.rate or 0)
    drawn: dict[str, Figure] = {}
    with rc_context(_STYLE):
        if len(closed) > 1:
            drawn["latency-throughput"] = _latency_against_throughput(profile, closed, terms)
            drawn["waiting"] = _waiting(closed, "requests at once", lambda point: point.concurrency, terms, profile)
        if len(rated) > 1:
            drawn["rates"] = _waiting(rated, "requests a second", lambda point: point.rate or 0, terms, profile)
    return drawn


def write_png(figure: Figure, file: Path) -> None:
    """Write a picture as a PNG."""
    with rc_context(_STYLE):
        figure.savefig(file, dpi=_DPI)


def as_svg(figure: Figure) -> str:
    """Return a picture as an SVG element, to stand in a page."""
    out = io.StringIO()
    with rc_context(_STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return svg[svg.index("<svg") :]


def _latency_against_throughput(profile: Profile, points: Sequence[Point], terms: Sequence[Term]) -> Figure:
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.subplots()
    speeds = [point.output_tokens_per_second for point in points]
    for label, colour, value in _ENDS:
        axes.plot(speeds, [value(point.end_to_end) for point in points], "o-", color=colour, label=label)
    for point in points:
        axes.annotate(
            f"{point.concurrency:g}",
            (point.output_tokens_per_second, point.end_to_end.p50),
            xytext=(7, -13),
            textcoords="offset points",
            color=_MEDIAN,
        )
    if profile.knee_concurrency is not None:
        curve = [CurvePoint(point.concurrency, point.output_tokens_per_second) for point in points]
        reached = throughput_at(curve, profile.knee_concurrency)
        axes.axvline(reached, color=_KNEE, linestyle="--", linewidth=1.5)
        axes.annotate(
            f"knee: {profile.knee_concurrency:.1f} at once",
            (reached, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-6, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=_KNEE,
        )
    _draw_terms(axes, terms, "e2e")
    axes.set(
        xlabel="answer tokens a second, all streams together (numbers: requests at once)",
        ylabel="seconds for a whole answer",
        title=f"{profile.model}: latency against throughput\n{title_of(profile)}",
        xlim=(0, max(speeds) * 1.08),
    )
    _with_headroom(axes)
    axes.legend(loc="upper left")
    return figure


_ENDS: Final[tuple[tuple[str, str, Callable[[Quantiles], float]], ...]] = (
    ("95th percentile", _TAIL, lambda quantiles: quantiles.p95),
    ("median", _MEDIAN, lambda quantiles: quantiles.p50),
)


def _waiting(
    points: Sequence[Point], xlabel: str, x: Callable[[Point], float], terms: Sequence[Term], profile: Profile
) -> Figure:
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    throughput, first, each = figure.subplots(1, 3)
    loads = [x(point) for point in points]
    throughput.plot(loads, [point.output_tokens_per_second for point in points], "o-", color=_MEDIAN)
    throughput.set(title="throughput", ylabel="answer tokens a second")
    for axes, title, unit, measure, quantiles in (
        (first, "time to the first token", "milliseconds", "ttft", [point.ttft for point in points]),
        (each, "time for each further token", "milliseconds", "tpot", [point.tpot for point in points]),
    ):
        for label, colour, value in _ENDS:
            axes.plot(loads, [value(one) * 1000 for one in quantiles], "o-", color=colour, label=label)
        _draw_terms(axes, terms, measure, 1000)
        axes.set(title=title, ylabel=unit)
        axes.legend(loc="upper left")
    closed = points[0].rate is None
    for axes in (throughput, first, each):
        axes.set(xlabel=xlabel)
        _with_headroom(axes)
        if closed:
            axes.set_xscale("log", base=2)
            axes.set_xticks(loads, [f"{load:g}" for load in loads])
            axes.minorticks_off()
        if closed and profile.knee_concurrency is not None:
            axes.axvline(profile.knee_concurrency, color=_KNEE, linestyle="--", linewidth=1.5)
    if closed and profile.knee_concurrency is not None:
        throughput.annotate(
            f"knee: {profile.knee_concurrency:.1f}",
            (profile.knee_concurrency, 0.04),
            xycoords=("data", "axes fraction"),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            color=_KNEE,
        )
    return figure


def _with_headroom(axes: Axes) -> None:
    """Begin at 0, and leave room above the curves for the legend."""
    axes.set_ylim(0, axes.dataLim.ymax * 1.35)


def _draw_terms(axes: Axes, terms: Sequence[Term], measure: str, factor: float = 1) -> None:
    for term in terms:
        if term.metric == measure:
            share = "on average" if term.percentile is None else f"{term.percentile:g}%"
            label = f"promised: {share} within {term.seconds * factor:g}"
            axes.axhline(term.seconds * factor, color=_BOUND, linestyle=":", linewidth=1.5, label=label)
