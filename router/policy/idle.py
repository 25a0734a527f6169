"""Which rules do nothing? Those that can never fire, permits that never take effect, forbids that change no verdict.

Read off the tables of every question there is, so it is known, not guessed. A forbid that repeats what another says, or what no permit
allows anyway, is no fault: it is a second lock. It is told as a note, apart from what was surely not meant.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

import numpy as np

from router.boundary import Boundary, House, enumerated
from router.bundle import Bundle
from router.bundle.files import Hosted, LaneSpec, ToolFile
from router.bundle.proof import Verdicts, all_verdicts
from router.bundle.reach import World, reach
from router.bundle.space import ACTIONS, Space, space_of
from router.bundle.verdicts import Holds, Table

_SIDE_EFFECTS: Final = ("read", "write", "irreversible")
_SOMEWHERE: Final = Hosted(provider="any", base_url="https://example.com", model="any", api_key_env="ANY", region="any")


@dataclass(frozen=True, slots=True)
class Idle:
    """A rule that does nothing. `warning`: it was meant to. `note`: that may well be meant: another does the same, or it waits for more."""

    severity: Literal["warning", "note"]
    kind: Literal["never-fires", "contradicts", "promises-nothing", "redundant", "unused"]
    rule: str
    because: str


def idle_policies(bundle: Bundle, verdicts: Verdicts) -> Iterator[Idle]:
    """Name the Cedar policies that do nothing to any question."""
    imagined: Verdicts | None = None
    for action in ACTIONS:
        tables = verdicts.distinct(action)
        for name in tables[0].policies if tables else ():
            if any(table.policies[name].yes.any() for table in tables):
                yield from _idle(name, tables)
                continue
            imagined = imagined or all_verdicts(*_imagined(bundle))
            if any(table.policies[name].yes.any() for table in imagined.distinct(action)):
                yield Idle(
                    "note", "unused", name, "it would fire for a lane or a tool such as the bundle does not have"
                )
            else:
                yield Idle("warning", "never-fires", name, "no question there is makes it fire")


def _imagined(bundle: Bundle) -> tuple[Space, Boundary]:
    """The same policies over lanes and tools of every sort: a rule may be there for what is not there yet."""
    schema = bundle.boundary.schema_text
    places = tuple(sorted(enumerated(schema, "Jurisdiction")))
    categories = tuple(sorted(enumerated(schema, "Category")))
    hosted = next((lane.hosted for lane in bundle.lanes.values() if lane.hosted is not None), _SOMEWHERE)
    lanes = [
        LaneSpec(name=f"imagined-{number}", hosted=hosted, jurisdictions=held, cleared_for=cleared, redact=cleared)
        for number, (held, cleared) in enumerate(product(((), places), ((), categories)))
    ]
    lanes.append(LaneSpec(name="imagined-private", model="any", jurisdictions=places))
    tools = [
        ToolFile.model_validate(
            {"name": f"imagined-{number}", "description": "", "side_effect": effect, "reaches_outside": outside}
            | {"jurisdictions": held, "parameters": {}}
        )
        for number, (effect, outside, held) in enumerate(product(_SIDE_EFFECTS, (False, True), ((), places)))
    ]
    house = House(lanes, tuple(bundle.tenants.values()), tools)
    space = space_of(schema, bundle.tenants.values(), lanes, tools)
    return space, Boundary(bundle.boundary.policies_text, schema, house)


def _idle(name: str, tables: Sequence[Table]) -> Iterator[Idle]:
    if name in tables[0].permits:
        yield from _without_effect(name, tables)
    elif not any(_changes(name, table) for table in tables):
        because = "without it every verdict would be the same: others forbid, or nothing permits, the same"
        yield Idle("note", "redundant", name, because)


def _without_effect(permit: str, tables: Sequence[Table]) -> Iterator[Idle]:
    """A permit that forbids cover wholly contradicts them: it says yes, and never once is that the answer."""
    if any((table.policies[permit].yes & table.allowed).any() for table in tables):
        return
    forbids = [name for name in tables[0].policies if name not in tables[0].permits]
    alone = [
        forbid for forbid in forbids if all(_covers(table.policies[forbid], table.policies[permit]) for table in tables)
    ]
    meets = [
        forbid for forbid in forbids if any(_meet(table.policies[forbid], table.policies[permit]) for table in tables)
    ]
    against = " and ".join(alone) if alone else f"{', '.join(meets)} together"
    yield Idle("warning", "contradicts", permit, f"it never takes effect: {against} forbid wherever it permits")


def _covers(forbid: Holds, permit: Holds) -> bool:
    return not (permit.yes & ~forbid.yes).any()


def _meet(forbid: Holds, permit: Holds) -> bool:
    return bool((permit.yes & forbid.yes).any())


def _changes(forbid: str, table: Table) -> bool:
    """Tell whether some question is denied by this forbid alone."""
    others = _any(table, (name for name in table.policies if name not in table.permits and name != forbid))
    return bool((table.policies[forbid].yes & _any(table, table.permits) & ~others).any())


def _any(table: Table, names: Iterable[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    found = np.zeros(table.allowed.shape, np.bool_)
    for name in names:
        found |= table.policies[name].yes
    return found


def idle_rules(bundle: Bundle) -> Iterator[Idle]:
    """Name the tier rules and routes that no request makes hold; what could not be looked at whole is not named."""
    levels = dict(bundle.tiers.levels)
    places = tuple(sorted(enumerated(bundle.boundary.schema_text, "Jurisdiction")))
    world = World(bundle.heads, tuple(bundle.tenants), levels, places)
    for rule in bundle.tier_rules:
        walk = reach([rule.when], 0, world)
        if walk.witness is None and not walk.sampled and not walk.errors:
            yield Idle("warning", "never-fires", rule.spec.id, f"no request makes the tier rule hold: {rule.spec.when}")
    conditions = [route.when for route in bundle.routes]
    for index, route in enumerate(bundle.routes):
        walk = reach(conditions, index, world)
        if walk.witness is None and not walk.sampled and not walk.errors:
            yield Idle(
                "warning", "never-fires", route.spec.id, "no request reaches the route: those before it take them all"
            )
