"""Which replica goes to which node, and what does not fit, and why? Never more on a node than it has; N+1 promised is N+1 kept.

A part of a replica (all of it, or one stage of a pipeline) stands on one node: tensor-parallel ranks talk after every layer. Where
spares are promised, a node may touch only as many of a model's guaranteed replicas as there are spares: so no single node takes more of
those with it.
First the guaranteed parts, largest first, each where it leaves least room; if that leaves one out, a bounded exact search. Elastic replicas
take what is left, and then each model is looked at once more: has a rolling upgrade room for one replica more?
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from cluster.nodes import Node

Part = Literal["guaranteed", "elastic"]
MOST_STEPS: Final = 20_000
"""Steps of the exact search; beyond it what first-fit found stands, and the answer says that it gave up."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Workload:
    """One model's replicas. A replica has `stages` parts of `gpus`, `cpus` and `memory_gib` (main memory) each.

    `refuses` says why a node will not do, whatever is free there; None: it will.
    """

    model: str
    guaranteed: int
    elastic: int
    spare: int
    gpus: float
    cpus: float
    memory_gib: float
    stages: int
    refuses: Callable[[Node], str | None]

    def promised(self, replica: int) -> bool:
        """Whether N+1 counts on this replica: on one of the guaranteed, where there are spares."""
        return self.spare > 0 and replica < self.guaranteed


@dataclass(frozen=True, slots=True)
class Placed:
    """A part of a replica and its node."""

    model: str
    replica: int
    stage: int
    part: Part
    node: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Replicas that have no place, and what each node said."""

    model: str
    part: Part
    replicas: int
    because: str


@dataclass(frozen=True, slots=True)
class Surge:
    """Where a rolling upgrade starts the new replica before the old one stops; no nodes: there is no room, and why."""

    model: str
    nodes: tuple[str, ...]
    because: str | None = None


@dataclass(slots=True)
class Room:
    """What is still free on a node, and which of the replicas that N+1 counts on it touches."""

    node: Node
    gpus: float
    cpus: float
    memory_gib: float
    touched: dict[str, set[int]] = field(default_factory=dict)

    def lacks(self, load: Workload, replica: int) -> str | None:
        """Say why a part of this replica can't come here; None: it can."""
        if (never := load.refuses(self.node)) is not None:
            return never
        for what, needed, free in (
            ("GPUs", load.gpus, self.gpus),
            ("processors", load.cpus, self.cpus),
            ("GiB of memory", load.memory_gib, self.memory_gib),
        ):
            if needed > free + _ROUNDING:
                return f"{free:g} {what} free, {needed:g} needed"
        if not load.promised(replica):
            return None
        touched = self.touched.get(load.model, set())
        if len(touched | {replica}) > load.spare:
            return f"holds {len(touched)} of its replicas: with {load.spare} to spare a node may take no more with it"
        return None

    def take(self, load: Workload, replica: int) -> None:
        """Put a part here."""
        self.gpus -= load.gpus
        self.cpus -= load.cpus
        self.memory_gib -= load.memory_gib
        if load.promised(replica):
            self.touched.setdefault(load.model, set()).add(replica)

    def copy(self) -> "Room":
        """Return a room that can be filled without this one."""
        return Room(
            self.node, self.gpus, self.cpus, self.memory_gib, {model: set(of) for model, of in self.touched.items()}
        )


@dataclass(frozen=True, slots=True)
class Packing:
    """Everything's place. `fits`: all of it has one, the upgrade's surge aside."""

    placed: tuple[Placed, ...]
    unplaced: tuple[Unplaced, ...]
    surges: tuple[Surge, ...]
    rooms: tuple[Room, ...]
    gave_up: bool = False

    @property
    def fits(self) -> bool:
        """Whether every replica has a place."""
        return not self.unplaced

    @property
    def upgrades_fit(self) -> bool:
        """Whether each model's upgrade has room for the new replica beside the old ones."""
        return all(surge.nodes for surge in self.surges)

    def as_json(self) -> dict[str, Any]:
        """Return the answer of `lane plan --nodes --json`."""
        return {
            "fits": self.fits,
            "upgrades_fit": self.upgrades_fit,
            "placed": [asdict(one) for one in self.placed],
            "unplaced": [asdict(one) for one in self.unplaced],
            "surge": [{**asdict(one), "reserved": bool(one.nodes)} for one in self.surges],
            "nodes": [
                {
                    "node": room.node.name,
                    "gpu": room.node.gpu,
                    "gpus": room.node.gpu_count,
                    "gpus_free": room.gpus,
                    "cpus_free": room.cpus,
                    "memory_gib_free": room.memory_gib,
                }
                for room in self.rooms
            ],
            "search_cut_short": self.gave_up,
        }


_Wanted = tuple[Workload, int]


def pack(loads: Sequence[Workload], nodes: Sequence[Node]) -> Packing:
    """Place all replicas of all workloads."""
    empty = tuple(Room(node, node.gpu_count, node.cpus, node.memory_gib) for node in nodes)
    largest = sorted(loads, key=lambda load: (-load.gpus, -load.memory_gib, -load.cpus, load.model))
    guaranteed = [(load, replica) for load in largest for replica in range(load.guaranteed)]
    rooms, placed, left_out = _first_fit(guaranteed, empty, "guaranteed")
    gave_up = False
    if left_out:
        found, gave_up = _search(guaranteed, empty)
        if found is not None:
            rooms, placed, left_out = found
    elastic = [(load, load.guaranteed + replica) for load in largest for replica in range(load.elastic)]
    rooms, more, still_out = _first_fit(elastic, rooms, "elastic")
    return Packing(
        placed=(*placed, *more),
        unplaced=tuple(_reported(left_out, "guaranteed", rooms) + _reported(still_out, "elastic", rooms)),
        surges=tuple(_surge(load, rooms) for load in largest if load.guaranteed + load.elastic),
        rooms=rooms,
        gave_up=gave_up,
    )


_Filled = tuple[tuple[Room, ...], tuple[Placed, ...], list[_Wanted]]


def _first_fit(wanted: Sequence[_Wanted], rooms: tuple[Room, ...], part: Part) -> _Filled:
    rooms = tuple(room.copy() for room in rooms)
    placed: list[Placed] = []
    left_out = []
    for load, replica in wanted:
        tried = _replica_placed(load, replica, rooms)
        if tried is None:
            left_out.append((load, replica))
            continue
        rooms, at = tried
        placed += [Placed(load.model, replica, stage, part, name) for stage, name in enumerate(at)]
    return rooms, tuple(placed), left_out


def _replica_placed(
    load: Workload, replica: int, rooms: tuple[Room, ...]
) -> tuple[tuple[Room, ...], tuple[str, ...]] | None:
    """Place all stages of one replica where least room is left; None where one has no place."""
    trial, at = tuple(room.copy() for room in rooms), []
    for _ in range(load.stages):
        best = min(_open(load, replica, trial), key=_least_left(load), default=None)
        if best is None:
            return None
        best.take(load, replica)
        at.append(best.node.name)
    return trial, tuple(at)


def _open(load: Workload, replica: int, rooms: Sequence[Room]) -> Iterator[Room]:
    return (room for room in rooms if room.lacks(load, replica) is None)


def _least_left(load: Workload) -> Callable[[Room], tuple[float, float, str]]:
    return lambda room: (room.gpus - load.gpus, room.memory_gib - load.memory_gib, room.node.name)


def _search(wanted: Sequence[_Wanted], rooms: tuple[Room, ...]) -> tuple[_Filled | None, bool]:
    """Look for a place for all; return it, or None with whether the search gave up before it had seen everything.

    Replicas of a model are alike, so each goes no earlier in the nodes' order than the one before: the same set is tried once.
    """
    parts = [(load, replica, stage) for load, replica in wanted for stage in range(load.stages)]
    steps = 0

    def place(index: int, rooms: tuple[Room, ...], chosen: tuple[int, ...]) -> tuple[int, ...] | None:
        nonlocal steps
        if index == len(parts):
            return chosen
        load, replica, _ = parts[index]
        first = chosen[-1] if index and parts[index - 1][0] is load else 0
        for number in range(first, len(rooms)):
            steps += 1
            if steps > MOST_STEPS:
                return None
            if rooms[number].lacks(load, replica) is None:
                trial = tuple(room.copy() if place == number else room for place, room in enumerate(rooms))
                trial[number].take(load, replica)
                if (found := place(index + 1, trial, (*chosen, number))) is not None:
                    return found
        return None

    found = place(0, rooms, ())
    if found is None:
        return None, steps > MOST_STEPS
    filled = tuple(room.copy() for room in rooms)
    placed = []
    for (load, replica, stage), number in zip(parts, found, strict=True):
        filled[number].take(load, replica)
        placed.append(Placed(load.model, replica, stage, "guaranteed", filled[number].node.name))
    return (filled, tuple(placed), []), False


def _reported(left_out: Sequence[_Wanted], part: Part, rooms: Sequence[Room]) -> list[Unplaced]:
    by_load: dict[str, list[_Wanted]] = {}
    for load, replica in left_out:
        by_load.setdefault(load.model, []).append((load, replica))
    return [
        Unplaced(model, part, len(these), _because(these[0][0], these[0][1], rooms)) for model, these in by_load.items()
    ]


def _because(load: Workload, replica: int, rooms: Sequence[Room]) -> str:
    said = [f"{room.node.name}: {because}" for room in rooms if (because := room.lacks(load, replica)) is not None]
    if len(said) < len(rooms):
        said.append(f"only {len(rooms) - len(said)} of its {load.stages} stages have a node")
    return "; ".join(said) or "there are no nodes"


def _surge(load: Workload, rooms: tuple[Room, ...]) -> Surge:
    """Look where one replica more would stand while it lives beside the old ones."""
    replica = load.guaranteed + load.elastic
    tried = _replica_placed(load, replica, rooms)
    if tried is None:
        return Surge(load.model, (), _because(load, replica, rooms))
    return Surge(load.model, tuple(dict.fromkeys(tried[1])))
