"""How does an evaluation look to a person? Tables of figures, the aims last, each with its bar and whether it is met."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from benchmarks.evals.boundary import Aim, Report

_READERS = ("fast", "fast_and_deep", "presidio")


def tables(report: "Report") -> Iterator[Table]:
    """Yield the tables there are figures for."""
    figures = report.figures
    if figures.get("documents"):
        yield _by_category(figures["by_category"])
        yield _by_entity(figures["by_entity"])
        yield _curve(figures["kept_before_leaving"])
    if "recogniser_cases" in figures:
        yield _cases(figures["recogniser_cases"])
    if "attacks" in figures:
        yield _attacks(figures["attacks"])
    yield _speed(figures)
    yield _aims(report.aims)


def _by_category(figures: dict[str, Any]) -> Table:
    table = Table(
        "category", "reader", "labelled", "recall", "precision", "F1", title="Spans, by category", title_justify="left"
    )
    for category in sorted({name for reader in figures.values() for name in reader}):
        for reader in _READERS:
            if score := figures[reader].get(category):
                shares = (_share(score[name]) for name in ("recall", "precision", "f1"))
                table.add_row(category, reader.replace("_", " "), str(score["labelled"]), *shares)
        table.add_section()
    return table


def _by_entity(figures: dict[str, Any]) -> Table:
    table = Table("label", "spans", "fast", "fast and deep", "Presidio", title="Recall, by label", title_justify="left")
    for entity, row in figures["fast"].items():
        table.add_row(entity, str(row["spans"]), *(_share(figures[reader][entity]["recall"]) for reader in _READERS))
    return table


def _curve(figures: dict[str, Any]) -> Table:
    table = Table(
        "deep scan's threshold",
        "personal data kept",
        "plain queries kept",
        "documents without a span kept",
        title="Kept before leaving",
        title_justify="left",
    )
    kinds = ("personal", "queries", "span_free")
    for row in figures["curve"]:
        table.add_row(f"{row['threshold']:.2f}", *(_share(row[kind]) for kind in kinds))
    table.add_section()
    for name, title in (
        ("fast", "fast scan alone"),
        ("fast_and_deep", "as the bundle has it"),
        ("presidio", "Presidio's default"),
    ):
        table.add_row(
            title, *(_share(figures[name][kind]) for kind in kinds), style="bold" if name == "fast_and_deep" else None
        )
    return table


def _cases(figures: dict[str, Any]) -> Table:
    table = Table(
        "entity", "cases", "fast", "deep", "Presidio", title="Recognisers' cases: recall", title_justify="left"
    )
    for entity, row in figures["by_entity"].items():
        table.add_row(entity, str(row["cases"]), *(_share(row[reader]) for reader in ("fast", "deep", "presidio")))
    table.add_section()
    flagged = figures["flagged_holding_nothing"]
    table.add_row("nothing to find, flagged", "", *(_share(flagged[reader]) for reader in ("fast", "deep", "presidio")))
    return table


def _attacks(figures: dict[str, Any]) -> Table:
    table = Table("source", "recall", title="Attacks, at 1% false alarms", title_justify="left")
    for source, recall in figures["by_source"].items():
        table.add_row(source, _share(recall))
    return table


def _speed(figures: dict[str, Any]) -> Table:
    table = Table("reader", "CPU µs per 1,000 characters", title="Time", title_justify="left")
    for reader, microseconds in figures["cpu_microseconds_per_1000_characters"].items():
        table.add_row(reader, f"{microseconds:,.0f}")
    return table


def _aims(aims: "tuple[Aim, ...]") -> Table:
    table = Table("aim", "measured", "bar", "", title="Aims", title_justify="left")
    for aim in aims:
        bar = f"{'≥' if aim.at_least else '≤'} {aim.bar:g}"
        verdict = Text("met", style="green") if aim.met else Text("missed", style="bold red")
        table.add_row(aim.name, f"{aim.figure:.3f}" if aim.figure <= 1 else f"{aim.figure:.0f}", bar, verdict)
    return table


def _share(value: float) -> str:
    return f"{value:.3f}"
