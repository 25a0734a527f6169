"""Which questions does another version of the boundary answer otherwise, for ways that lead out? Both tables, laid over each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from router.bundle import Bundle
from router.bundle.space import ACTIONS, Question, Way, WaySpec, axes_of, kind_of, leads_out, ways_of
from router.bundle.verdicts import Table, Tabulator, Truth


@dataclass(frozen=True, slots=True)
class Shift:
    """Questions that one version lets out and the other does not.

    `opens`: the new one lets them out. `policies`: those that say so in the new version (the permits of what opens, the forbids of what
    closes). `questions` counts all of them, over all these tenants and ways; `example` is one.
    """

    opens: bool
    policies: tuple[str, ...]
    orgs: tuple[str, ...]
    ways: tuple[Way, ...]
    questions: int
    example: Question


@dataclass(frozen=True, slots=True)
class _Change:
    """What one set of policies changes for one tenant and way."""

    org: str
    way: Way
    questions: int
    example: Question


def shifts(old: Bundle, new: Bundle) -> tuple[Shift, ...]:
    """Return what opens and what closes between two versions, over every question there is. Raises `SpaceTooLarge`, `TablesDisagree`.

    A way that leads to another end than before is a new one: what was allowed of the old one says nothing of it.
    """
    found: dict[tuple[bool, tuple[str, ...]], list[_Change]] = {}
    for org, way, before, after in _pairs(old, new):
        was_out = _let_out(before, old, org, way)
        is_out = _let_out(after, new, org, way)
        newly_out = is_out & ~was_out if _same_end(old, new, way) else is_out
        for opens, changed in ((True, newly_out), (False, was_out & ~is_out)):
            for policies, change in _by_policies(after, changed, org, way):
                found.setdefault((opens, policies), []).append(change)
    return tuple(
        Shift(
            opens,
            policies,
            tuple(dict.fromkeys(change.org for change in changes)),
            tuple(dict.fromkeys(change.way for change in changes)),
            sum(change.questions for change in changes),
            changes[0].example,
        )
        for (opens, policies), changes in found.items()
    )


def _pairs(old: Bundle, new: Bundle) -> Iterator[tuple[str, Way, Table, Table]]:
    """Both tables of each tenant and each way that leads out in either version. What no policy tells apart shares them."""
    axes = axes_of(old.boundary.schema_text, new.boundary.schema_text)
    tabulators = {action: Tabulator(action, axes[action], old.boundary, new.boundary) for action in ACTIONS}
    before, after = (ways_of(bundle.lanes.values(), bundle.tools.values()) for bundle in (old, new))
    kinds: dict[tuple[object, ...], tuple[Table, ...]] = {}
    for org, way in product({**old.tenants, **new.tenants}, {**before, **after}):
        specs = [ways[way] for ways in (before, after) if way in ways]
        if not any(map(leads_out, specs)):
            continue
        tabulator = tabulators[way.action]
        # INVARIANT: a boundary denies everything to a tenant or a way that it does not have.
        kind = (way.action, _kind(old, org, before.get(way), tabulator), _kind(new, org, after.get(way), tabulator))
        if kind not in kinds:
            kinds[kind] = tabulator.tables(org, way, specs[0], specs[-1])
        was, is_now = kinds[kind]
        yield org, way, was, is_now


def _kind(bundle: Bundle, org: str, way: WaySpec | None, tabulator: Tabulator) -> tuple[str, str] | None:
    if org not in bundle.tenants or way is None:
        return None
    return kind_of(bundle.tenants[org], way, tabulator.names)


def _let_out(table: Table, bundle: Bundle, org: str, way: Way) -> Truth:
    """Where this version lets a text out of the cluster: the boundary allows it, and nothing else closes the way to the tenant."""
    return table.allowed if is_open(bundle, org, way) else np.zeros_like(table.allowed)


def is_open(bundle: Bundle, org: str, way: Way) -> bool:
    """Tell whether a way leads out for a tenant as far as anything but the boundary says."""
    tenant = bundle.tenants.get(org)
    spec = bundle.lanes.get(way.name) if way.action == "send" else bundle.tools.get(way.name)
    if tenant is None or spec is None or "none" in {bundle.egress, tenant.egress}:
        return False
    named = tenant.lanes if way.action == "send" else tenant.tools
    return leads_out(spec) and (not named or way.name in named)


def _same_end(old: Bundle, new: Bundle, way: Way) -> bool:
    """Tell whether a way leads where it led. Where a tool leads is not known here: its name stands for it."""
    if way.action == "call_tool":
        return way.name in old.tools and way.name in new.tools
    before, after = (bundle.lanes[way.name].hosted if way.name in bundle.lanes else None for bundle in (old, new))
    if before is None or after is None:
        return False
    return (before.provider, before.base_url, before.region) == (after.provider, after.base_url, after.region)


def _by_policies(table: Table, changed: Truth, org: str, way: Way) -> Iterator[tuple[tuple[str, ...], _Change]]:
    """Put changed verdicts together that the same policies speak of."""
    cells = np.nonzero(changed)
    if not cells[0].size:
        return
    names = tuple(table.policies)
    speaks = np.vstack([_along(table.policies[name].yes, changed.shape)[cells] for name in names])
    speaks &= np.array([[name in table.permits] for name in names]) == table.allowed[cells]
    told_apart, first, which = np.unique(speaks, axis=1, return_index=True, return_inverse=True)
    sizes = table.sizes(cells)
    for number, column in enumerate(told_apart.T):
        place = tuple(int(axis[first[number]]) for axis in cells)
        policies = tuple(sorted(name for name, speaking in zip(names, column, strict=True) if speaking))
        questions = int(sizes[which.ravel() == number].sum())
        yield policies or ("default-deny",), _Change(org, way, questions, Question(org, way, table.values(place)))


def _along(array: Truth, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.broadcast_to(array, shape)
