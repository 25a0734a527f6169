"""Which questions does another version of the boundary answer otherwise, for lanes that lead out? Both tables, laid over each other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.bundle import Bundle
from router.bundle.proof import Question
from router.bundle.space import axes_of, kind_of
from router.bundle.verdicts import Table, Tabulator, Truth


@dataclass(frozen=True, slots=True)
class Shift:
    """Questions that one version lets out and the other does not.

    `opens`: the new one lets them out. `policies`: those that say so in the new version (the permits of what opens, the forbids of what
    closes). `questions` counts all of them, over all these tenants and lanes; `example` is one.
    """

    opens: bool
    policies: tuple[str, ...]
    orgs: tuple[str, ...]
    lanes: tuple[str, ...]
    questions: int
    example: Question


@dataclass(frozen=True, slots=True)
class _Change:
    """What one set of policies changes for one tenant and lane."""

    org: str
    lane: str
    questions: int
    example: Question


def shifts(old: Bundle, new: Bundle) -> tuple[Shift, ...]:
    """Return what opens and what closes between two versions, over every question there is. Raises `SpaceTooLarge`, `TablesDisagree`.

    A lane that leads to another end than before is a new one: what the old one was allowed says nothing of it.
    """
    found: dict[tuple[bool, tuple[str, ...]], list[_Change]] = {}
    for org, lane, before, after in _pairs(old, new):
        was_out = _let_out(before, old, org, lane)
        is_out = _let_out(after, new, org, lane)
        newly_out = is_out & ~was_out if _same_end(old, new, lane) else is_out
        for opens, changed in ((True, newly_out), (False, was_out & ~is_out)):
            for policies, change in _by_policies(after, changed, org, lane):
                found.setdefault((opens, policies), []).append(change)
    return tuple(
        Shift(
            opens,
            policies,
            tuple(dict.fromkeys(change.org for change in changes)),
            tuple(dict.fromkeys(change.lane for change in changes)),
            sum(change.questions for change in changes),
            changes[0].example,
        )
        for (opens, policies), changes in found.items()
    )


def _pairs(old: Bundle, new: Bundle) -> Iterator[tuple[str, str, Table, Table]]:
    """Both tables of each tenant and each lane that leads out in either version. What no policy tells apart shares them."""
    tabulator = Tabulator(axes_of(old.boundary.schema_text, new.boundary.schema_text), old.boundary, new.boundary)
    kinds: dict[tuple[object, ...], tuple[Table, ...]] = {}
    for org in {**old.tenants, **new.tenants}:
        for name in {**old.lanes, **new.lanes}:
            lanes = [bundle.lanes[name] for bundle in (old, new) if name in bundle.lanes]
            if not any(lane.is_hosted for lane in lanes):
                continue
            kind = tuple(_kind(bundle, org, name, tabulator.names) for bundle in (old, new))
            if kind not in kinds:
                kinds[kind] = tabulator.tables(org, lanes[0], lanes[-1])
            before, after = kinds[kind]
            yield org, name, before, after


def _kind(bundle: Bundle, org: str, lane: str, spoken: frozenset[str]) -> tuple[str, str] | None:
    """None for a tenant or a lane that this version does not have: its boundary denies it everything."""
    if org not in bundle.tenants or lane not in bundle.lanes:
        return None
    return kind_of(bundle.tenants[org], bundle.lanes[lane], spoken)


def _let_out(table: Table, bundle: Bundle, org: str, lane: str) -> Truth:
    """Where this version lets a text out of the cluster: the boundary allows it, and nothing else closes the lane to the tenant."""
    tenant, spec = bundle.tenants.get(org), bundle.lanes.get(lane)
    closed = tenant is None or spec is None or not spec.is_hosted or bool(tenant.lanes and lane not in tenant.lanes)
    shut = bundle.egress == "none" or (tenant is not None and tenant.egress == "none")
    return np.zeros_like(table.allowed) if closed or shut else table.allowed


def _same_end(old: Bundle, new: Bundle, lane: str) -> bool:
    """Tell whether a lane leads where it led."""
    before, after = (bundle.lanes[lane].hosted if lane in bundle.lanes else None for bundle in (old, new))
    if before is None or after is None:
        return False
    return (before.provider, before.base_url, before.region) == (after.provider, after.base_url, after.region)


def _by_policies(table: Table, changed: Truth, org: str, lane: str) -> Iterator[tuple[tuple[str, ...], _Change]]:
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
        yield policies or ("default-deny",), _Change(org, lane, questions, Question(org, lane, table.values(place)))


def _along(array: Truth, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.broadcast_to(array, shape)
