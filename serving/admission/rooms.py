"""Which gate does a model's lane go by, and how much room is behind it? One gate an application, whatever version of a bundle asks.

Beside it a lane, private or hosted, may have a gate of its own: its `max_concurrency`.
"""

from collections.abc import Callable
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from models.spec import ModelSpec
from router.queueing import EngineLoad, own_part, room_of
from serving.admission.gate import Gate

_KV_LIMIT: Final = 0.9
_WAITING_PER_PLACE: Final = 4
"""As many as Serve's own queue takes, which stays behind this one as the last resort."""


class Rooms:
    """The gates of one ingress replica. `loads` says how an application's engines are, `doors` how many ingress replicas there are."""

    def __init__(
        self,
        loads: Callable[[str], tuple[EngineLoad, ...]],
        doors: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._loads, self._doors, self._monotonic = loads, doors, monotonic
        self._gates: WeakValueDictionary[str, Gate] = WeakValueDictionary()

    def gate(self, application: str, model: ModelSpec) -> Gate:
        """Return the gate before a model's application."""
        gate = self._gates.get(application)
        if gate is None:
            room = partial(self._room, application, model)
            gate = Gate(room, _WAITING_PER_PLACE * model.max_ongoing_requests, self._monotonic)
            self._gates[application] = gate
        return gate

    def gate_of_lane(self, lane: str, most: int) -> Gate:
        """Return the gate before a lane that has so many answers under way at most (`max_concurrency`), here."""
        key = f"lane/{lane}/{most}"
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = Gate(lambda _: most, _WAITING_PER_PLACE * most, self._monotonic)
        return gate

    def look(self) -> None:
        """Let in whoever has room by what is known now of the engines."""
        for gate in list(self._gates.values()):
            gate.look()

    def _room(self, application: str, model: ModelSpec, inside: int) -> int:
        most = model.max_ongoing_requests
        # Of a model that nothing is heard of, its settings say what it can take; one at zero starts for its first caller.
        loads = self._loads(application) or (EngineLoad(),) * max(1, model.least_replicas)
        limit = model.scaling.kv_use if model.scaling is not None else _KV_LIMIT
        return own_part(loads, sum(room_of(load, most, limit) for load in loads), inside, self._doors())
