"""How do a proof, a case, a comparison and a derivation look to a person? Tables that also make sense read aloud, row by row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.show import decision_panel, printable_lines
from router.explain.words import count, listed

if TYPE_CHECKING:
    from router.policy.cases import Tried
    from router.policy.compare import Comparison
    from router.policy.prove import Report
    from router.policy.traffic import Load
    from router.policy.why import Derivation, RuleTried


_NOTES = {
    "redundant": "Second locks (without one of these, others would still deny the same)",
    "unused": "For lanes or tools such as this bundle does not have",
}


def _table(title: str, *columns: str, rows: Iterable[Sequence[object]]) -> Table:
    """Cells are text, not markup: they quote what stands in the files."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable_lines(str(cell))) for cell in row))
    return table


# ------------------------------------------------------------------ prove


def proofs_shown(report: "Report") -> Iterator[RenderableType]:
    """Every property with its outcome, what it was proved over, and the rules that do nothing."""
    rows = [
        (one.proof.rule.id, "holds" if one.proof.holds else "BROKEN", one.proof.rule.because) for one in report.proved
    ]
    yield _table("Properties of the boundary", "property", "outcome", "because", rows=rows)
    yield Text(
        f"Exhaustive: {report.questions:,} questions, every tenant with every lane and tool, every level, risk tier and concern, every "
        "set of categories, of jurisdictions and of what was redacted. The policies tell "
        f"{count(report.classes, 'kind')} of them apart; Cedar itself was asked {count(report.asked, 'question')}. "
        "Every rung of every route and ladder is one of these lanes, and is asked the same before anything is sent: what holds here holds "
        "by every route, rung and spill-over."
    )
    yield from _exits(report)
    for one in report.proved:
        if not one.proof.holds:
            yield from _broken(one)
    warnings = [idle for idle in report.idle if idle.severity == "warning"]
    if warnings:
        rows = [(idle.rule, idle.kind.replace("-", " "), idle.because) for idle in warnings]
        yield _table("Rules that do nothing", "rule", "finding", "because", rows=rows)
    for kind, what in _NOTES.items():
        if named := [idle.rule for idle in report.idle if idle.kind == kind]:
            yield Text(f"{what}: {listed(named)}.")


def _exits(report: "Report") -> Iterator[RenderableType]:
    rungs = sum(len(exits.open) for exits in report.exits)
    rows = [
        (exits.route, len(exits.planned), ", ".join(dict.fromkeys(map(str, exits.open))) or "none")
        for exits in report.exits
        if exits.planned
    ]
    if rows:
        yield _table("Ways out, by route", "route", "planned", "can open to something", rows=rows)
    yield Text(f"{count(rungs, 'way')} out of the cluster can open.")
    if report.egress is not None:
        declared = listed(report.egress.declared)
        kept = "lets nothing leave" if report.egress.broken_by is None else f"LEAVES: {report.egress.broken_by}"
        yield Text(
            f"egress: none of {declared} {kept} ({count(report.egress.decisions, 'decision')} tried).", style="bold"
        )


def _broken(one: Any) -> Iterator[RenderableType]:
    import orjson

    if one.witness is None:
        yield Text(f"{one.proof.rule.id}: {one.proof.because}", style="red")
        return
    line = orjson.dumps(one.witness.line).decode()
    shown = (
        "lane decide shows it"
        if one.witness.confirmed
        else "no request was found that shows it; the boundary answers so to"
    )
    yield Text.assemble(
        (f"{one.proof.rule.id} is broken", "bold red"), f" (it must {one.proof.rule.must}); {shown}:\n{line}"
    )


# ------------------------------------------------------------------ test


def cases_shown(tried: Sequence["Tried"]) -> Iterator[RenderableType]:
    """The cases that came out otherwise, and how many passed."""
    failures = [
        (f"{one.file}:{one.line}", one.name, difference.what, difference.expected, difference.actual)
        for one in tried
        for difference in one.differences
    ]
    if failures:
        yield _table("Cases that came out otherwise", "where", "case", "what", "expected", "actual", rows=failures)
    passed = sum(one.passed for one in tried)
    yield Text(f"{passed} of {count(len(tried), 'case')} passed")


# ------------------------------------------------------------------ diff


def comparison_shown(found: "Comparison") -> Iterator[RenderableType]:
    """What newly leaves first; then what requests notice, what it costs, and how verdicts shifted."""
    from router.bundle.proof import in_words

    traffic = found.traffic
    opens = [(f"{' and '.join(shift.policies)}", shift) for shift in found.shifts if shift.opens]
    closes = [(f"{' and '.join(shift.policies)}", shift) for shift in found.shifts if not shift.opens]
    for title, some in (("Newly leaves", opens), ("No longer leaves", closes)):
        if some:
            rows = [
                (
                    policies,
                    ", ".join(map(str, shift.ways)),
                    ", ".join(shift.orgs),
                    f"{shift.questions:,}",
                    in_words(shift.example),
                )
                for policies, shift in some
            ]
            yield _table(
                f"{title}: the boundary's verdicts", "by", "ways", "tenants", "questions", "for example", rows=rows
            )
    if labels := [(one.what,) for one in found.lowered if one.by != "demand"]:
        yield _table("The same text may count for less", "what", rows=labels)
    if found.loosened:
        yield _table("Less is demanded of what goes out", "what", rows=[(what,) for what in found.loosened])
    if traffic.newly_leaving:
        leaving = [(change.id, ", ".join(change.newly_leaves)) for change in traffic.newly_leaving]
        yield _table("Requests that could newly leave", "request", "by lane", rows=leaving)
    if traffic.changed:
        changes = [(one.id, what, *sides) for one in traffic.changed for what, sides in one.changes.items()]
        yield _table("Requests that change", "request", "what", "before", "after", rows=changes)
    counts = listed(f"{what} {number}" for what, number in traffic.counts.items()) or "nothing"
    yield Text(f"{len(traffic.changed)} of {count(traffic.requests, 'request')} change: {counts}")
    yield _loads(traffic.before, traffic.after)
    less = " Less is demanded of what goes out." if found.loosened else ""
    yield Text(f"{'Something' if found.newly_leaves else 'Nothing'} newly leaves.{less}", style="bold")


def _loads(before: Mapping[str, "Load"], after: Mapping[str, "Load"]) -> Table:
    rows = []
    for lane in {**before, **after}:
        row: list[str] = [lane]
        for load in (before.get(lane), after.get(lane)):
            row += (
                ["0", "0", "$0.0000"]
                if load is None
                else [f"{load.requests:,}", f"{load.input_tokens + load.output_tokens:,}", f"${load.usd:.4f}"]
            )
        rows.append(row)
    columns = ("lane", "requests before", "tokens", "cost", "requests after", "tokens", "cost")
    return _table("Load and cost by first lane, estimated", *columns, rows=rows)


# ------------------------------------------------------------------ why


def derivation_shown(found: "Derivation") -> Iterator[RenderableType]:
    """The derivation in its order: labels, tier rules, routes, lanes; then the decision."""
    if found.failed is not None:
        yield Text(
            f"The request could not be judged: {found.failed}. It counts as restricted and stays private.", style="red"
        )
    rows = [
        (part.of, part.label.level, ", ".join((*part.label.categories, *part.label.jurisdictions)) or "nothing")
        for part in found.labels
    ]
    yield _table("Labels that join", "of", "level", "holds", rows=rows)
    yield _rules("Tier rules: every one that holds counts, the highest wins", found.tier_rules)
    if found.routes:
        yield _rules("Routes: the first that holds is taken", found.routes)
    if found.lanes:
        yield _table(
            "Lanes: the boundary is asked of each",
            "lane",
            "tried on",
            "boundary",
            "by",
            "outcome",
            rows=list(_lanes(found)),
        )
    yield decision_panel(found.decision, "decision")


def _labels(found: "Derivation") -> Iterator[tuple[str, str, str]]:
    for part in found.labels:
        yield part.of, part.label.level, ", ".join((*part.label.categories, *part.label.jurisdictions)) or "nothing"


def _rules(title: str, tried: Sequence["RuleTried"]) -> Table:
    rows = [
        (
            rule.id,
            rule.held,
            rule.when,
            "; ".join(f"{name} = {value}" for name, value in rule.values.items()),
            rule.says,
        )
        for rule in tried
    ]
    return _table(title, "rule", "holds", "condition", "values", "so", rows=rows)


def _lanes(found: "Derivation") -> Iterator[tuple[str, str, str, str, str]]:
    for lane in found.lanes:
        name = f"{lane.lane} ({'hosted' if lane.hosted else 'private'})"
        by = "; ".join(f"{policy.id}: {policy.because}" for policy in lane.policies)
        outcome = "open" if lane.closed is None else f"closed: {lane.closed}"
        yield name, ", ".join(lane.on), "allows" if lane.allowed else "denies", by, outcome
