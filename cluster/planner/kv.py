"""Whose are the blocks of one engine's KV cache? Never more than there are; what several prompts begin with is held once.

As in vLLM's v1 engine: memory is cut into blocks of `block_tokens`; full blocks of a prompt are kept by the hash of their content
after their request has ended, and are given up oldest first when room is needed.
"""

from collections import OrderedDict
from collections.abc import Sequence


class KvBlocks:
    """The blocks of one replica. INVARIANT: free + private + shared + idle = capacity, each of them at least 0."""

    __slots__ = ("_idle", "_shared", "capacity", "free", "per_prefix", "private")

    def __init__(self, capacity: int, per_prefix: int) -> None:
        """Take `capacity` blocks, of which each named prefix block takes `per_prefix`."""
        self.capacity = capacity
        self.per_prefix = per_prefix
        self.free = capacity
        self.private = 0
        self._shared: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()

    @property
    def available(self) -> int:
        """Blocks that a request can be given: free ones, and those that nobody uses any more."""
        return self.free + len(self._idle) * self.per_prefix

    @property
    def used(self) -> int:
        """Blocks that running requests hold."""
        return self.private + len(self._shared) * self.per_prefix

    def hits(self, prefix: Sequence[int]) -> int:
        """Count the leading blocks that are in the cache."""
        count = 0
        for name in prefix:
            if name not in self._shared and name not in self._idle:
                break
            count += 1
        return count

    def fits(self, blocks: int, prefix: Sequence[int], hits: int) -> bool:
        """Say whether `blocks` new ones can be had beside the first `hits` of the prefix, which then count as used."""
        woken = sum(1 for name in prefix[:hits] if name in self._idle)
        return blocks <= self.available - woken * self.per_prefix

    def take(self, blocks: int) -> None:
        """Give out new blocks; the oldest idle ones go for them. The caller has looked that they fit."""
        while self.free < blocks:
            self._idle.popitem(last=False)
            self.free += self.per_prefix
        self.free -= blocks
        self.private += blocks

    def hold(self, prefix: Sequence[int]) -> None:
        """Use blocks that are in the cache."""
        for name in prefix:
            if name in self._idle:
                del self._idle[name]
                self._shared[name] = 1
            else:
                self._shared[name] += 1

    def publish(self, name: int) -> bool:
        """Name a block that a request has just read; False where another holds the same already, and this one stays private."""
        if name in self._shared or name in self._idle:
            return False
        self._shared[name] = 1
        self.private -= self.per_prefix
        return True

    def give_back(self, blocks: int, held: Sequence[int]) -> None:
        """Take back private blocks, and let go of named ones: the end of a prompt is given up before its beginning."""
        self.private -= blocks
        self.free += blocks
        for name in reversed(held):
            users = self._shared[name] - 1
            if users:
                self._shared[name] = users
            else:
                del self._shared[name]
                self._idle[name] = None
