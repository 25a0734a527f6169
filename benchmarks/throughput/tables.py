"""How do the figures look to a person? A row a level, times in milliseconds, the knee marked."""

from typing import TYPE_CHECKING, Final

from rich.table import Table

from cluster.profile import Point, Profile, Quantiles, levels_of

if TYPE_CHECKING:
    from benchmarks.throughput.compare import Comparison, Row

HEADINGS: Final = (
    "load",
    "requests",
    "tokens in/out",
    "tokens/s",
    "TTFT p50",
    "p95",
    "TPOT p50",
    "p95",
    "ITL p95",
    "end to end p50",
    "p95",
    "goodput req/s",
    "KV use",
    "prefix hits",
    "watts",
)
_MEASURES: Final = {
    "ttft": ("TTFT", "ms", 1000.0),
    "tpot": ("TPOT", "ms", 1000.0),
    "e2e": ("end to end", "ms", 1000.0),
    "tokens_per_second": ("tokens/s a stream", "", 1.0),
}


def cells(point: Point) -> tuple[str, ...]:
    """Return a level's figures under `HEADINGS`."""
    load = (
        f"{point.concurrency:g} at once" if point.rate is None else f"{point.rate:g}/s ({point.concurrency:.1f} open)"
    )
    watts = [value for value in (point.cpu_watts, point.gpu_watts) if value is not None]
    return (
        load,
        f"{point.requests}" + (f" ({point.failed} failed)" if point.failed else ""),
        f"{point.input_tokens:.0f}/{point.output_tokens:.0f}",
        f"{point.output_tokens_per_second:,.1f}",
        *_ms(point.ttft),
        *_ms(point.tpot),
        f"{point.itl.p95 * 1000:,.0f}" if point.itl else "",
        *_ms(point.end_to_end),
        _or_dash(point.goodput_requests_per_second, ".2f"),
        _or_dash(point.kv_use, ".0%"),
        _or_dash(point.prefix_hits, ".0%"),
        _or_dash(sum(watts) if watts else None, ",.0f"),
    )


def knee_point(profile: Profile) -> Point | None:
    """Return the first measured level at or past the knee."""
    if profile.knee_concurrency is None:
        return None
    return next(
        (point for point in levels_of(profile.points) if point.concurrency >= profile.knee_concurrency - 1e-9), None
    )


def table(profile: Profile) -> Table:
    """Return the levels for a terminal, without the columns that have nothing to show."""
    rows = [cells(point) for point in profile.points]
    kept = [index for index in range(len(HEADINGS)) if any(row[index] not in {"", "-"} for row in rows)]
    shown = Table(title=f"{profile.model}, {title_of(profile)} (times in ms)", title_justify="left")
    for index in kept:
        shown.add_column(HEADINGS[index], justify="right", no_wrap=index == 0)
    marked = knee_point(profile)
    for point, row in zip(profile.points, rows, strict=True):
        shown.add_row(*(row[index] for index in kept), style="bold" if point is marked else None)
    if profile.knee_concurrency is not None:
        shown.caption = f"knee: {profile.knee_concurrency:.1f} at once (95% of the plateau's throughput)"
    return shown


def title_of(profile: Profile) -> str:
    """Say what was measured where."""
    where = "the lane as clients see it" if profile.side == "lane" else "the engine's own server"
    return f"{where}, {profile.lengths}"


def comparison_table(comparison: "Comparison") -> Table:
    """Return a comparison for a terminal."""
    shown = Table(title="B held against A", title_justify="left")
    for heading in ("load", "measure", "A, median", "B, median", "B/A", "95% interval", "p (Holm)", ""):
        left = heading in {"load", "measure", ""}
        shown.add_column(heading, justify="left" if left else "right", no_wrap=left)
    style = {"better": "green", "worse": "bold red", "same": None}
    for level, group in _by_level(comparison).items():
        for row in group:
            name, unit, factor = _MEASURES[row.measure]
            shown.add_row(
                level,
                name,
                f"{row.a * factor:,.1f} {unit}",
                f"{row.b * factor:,.1f} {unit}",
                f"{row.ratio:.3f}",
                f"{row.low:.3f} to {row.high:.3f}",
                f"{row.p:.2g}",
                "" if row.verdict == "same" else row.verdict,
                style=style[row.verdict],
            )
        shown.add_section()
    return shown


def _by_level(comparison: "Comparison") -> dict[str, list["Row"]]:
    levels: dict[str, list[Row]] = {}
    for row in comparison.rows:
        levels.setdefault(row.level, []).append(row)
    return levels


def _ms(quantiles: Quantiles) -> tuple[str, str]:
    return f"{quantiles.p50 * 1000:,.0f}", f"{quantiles.p95 * 1000:,.0f}"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
