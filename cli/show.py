"""How does a decision look to a person? Its short form, then where it goes, where it may not go, and which rules said so."""

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from router.contract import Decision, Rung
from router.explain.words import entity, listed, printable


def decision_panel(decision: Decision, title: str) -> Panel:
    """Lay a decision out for a terminal. Markup in the bundle's texts is shown as it is, not obeyed."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(decision):
        table.add_row(name, Text(printable_lines(value)))
    short = Text(decision.short().model_dump_json(by_alias=True), style="cyan")
    return Panel(Group(short, "", table), title=title, title_align="left")


def printable_lines(given: str) -> str:
    """Keep a text's lines and tabs, and nothing that moves the cursor: models and callers wrote it."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in given.split("\n"))


def _rows(decision: Decision) -> list[tuple[str, str]]:
    label = decision.label
    holds = [*label.categories, *label.jurisdictions]
    rows = [
        ("label", f"{label.level} ({listed(holds)})" if holds else label.level),
        ("topic", f"{decision.topic.intent}, {decision.topic.domain}"),
        (
            "found",
            listed(dict.fromkeys(entity(finding.entity) for finding in decision.findings)) or "nothing sensitive",
        ),
    ]
    if decision.action != "answer":
        rows.append((decision.action, decision.message or ""))
    else:
        goes = "; ".join(map(_rung, decision.ladder))
        rows.append(("goes to", goes or "nowhere: no lane may answer"))
    rows.extend(("closed", f"{rung.lane}: {rung.because}") for rung in decision.closed)
    rows.extend((policy.effect, f"{policy.id}: {policy.because}") for policy in decision.policies)
    return rows


def _rung(rung: Rung) -> str:
    without = f", {listed(rung.redacts.categories)} taken out" if rung.redacts is not None else ""
    return f"{rung.lane} ({rung.model}) on {', '.join(rung.on)}{without}"
