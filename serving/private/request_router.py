"""How does Ray Serve spread a model's calls where like beginnings should meet? Its own request router, with a preference before it.

Ray's `PrefixCacheAffinityRouter` (2.60) was not taken: it keeps the prompts' text in an actor of its own, one tree for all tenants, asks
it with a blocking `ray.get` on the ingress's event loop, and reads lists of dicts, not our calls. `Holders` keeps keyed hashes, in this
process.
"""

from typing import Any

from ray.serve._private.replica_result import ReplicaResult
from ray.serve._private.request_router import PowerOfTwoChoicesRequestRouter
from ray.serve.request_router import (
    LocalityMixin,
    MultiplexMixin,
    PendingRequest,
    ReplicaID,
    RequestRouter,
    RunningReplica,
)
from typing_extensions import override

from router.lane import LaneCall
from serving.private.affinity import Holders, preferred, prefix_keys


class PrefixRouter(LocalityMixin, MultiplexMixin, RequestRouter):  # type: ignore[misc]  # Ray's classes are untyped.
    """Prefers the replica that holds a call's beginning; the power of two choices decides where none does, or where it is too busy.

    Without Ray's FIFO mixin: there, whichever task finds a replica first serves the oldest call with it, whatever that call's own choice.
    """

    @override
    def initialize_state(self, slack: int = 8) -> None:
        """Take `request_router_kwargs`: how many open calls more than the least busy replica's a preferred one may have."""
        self._slack = slack
        self._holders = Holders()

    @override
    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Return the ranks in which Serve tries replicas: the preferred one, then two by chance."""
        by_chance: list[list[RunningReplica]] = await PowerOfTwoChoicesRequestRouter.choose_replicas(
            self, candidate_replicas, pending_request
        )
        call = _call_of(pending_request)
        if call is None:
            return by_chance
        replicas = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        waiting = {
            name: self.replica_queue_len_cache.get(replica.replica_id) or 0 for name, replica in replicas.items()
        }
        choice = preferred(prefix_keys(call), self._holders, waiting, self._slack)
        return by_chance if choice is None else [[replicas[choice]], *by_chance]

    @override
    def on_request_routed(self, pending_request: PendingRequest, replica_id: ReplicaID, result: ReplicaResult) -> None:
        """Note which replica reads the call."""
        if (call := _call_of(pending_request)) is not None:
            self._holders.add(prefix_keys(call), replica_id.unique_id)


def _call_of(pending_request: PendingRequest | None) -> LaneCall | None:
    """The lane call of a request; None for the deployment's other methods."""
    arguments: list[Any] = pending_request.args if pending_request is not None else []
    return arguments[0] if arguments and isinstance(arguments[0], LaneCall) else None
