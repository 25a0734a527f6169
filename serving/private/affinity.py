"""Which replica has read the beginning of this call before? Pure, and keeps no text: beginnings are known by keyed hashes.

The key of each hash is the tenant's cache salt. So a router that has seen one tenant's prompts says nothing about them to another's, and
two tenants with the same prompt are two beginnings, as they are in the engines' caches.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from router.contract import TextPart
from router.lane import LaneCall

_BLOCK_CHARACTERS: Final = 256
"""Some 64 tokens: the engines' caches know beginnings by blocks of 16 to 128."""
_MOST_BLOCKS: Final = 64
"""Beginnings are told apart over their first 16,000 characters; what follows goes where they go."""
_MOST_HOLDERS: Final = 4


def prefix_keys(call: LaneCall) -> tuple[bytes, ...]:
    """Return the keys of the call's growing beginnings, the shortest first; none for a call shorter than a block."""
    salt = blake2b((call.cache_salt or call.org).encode(), digest_size=32).digest()
    keys: list[bytes] = []
    above = call.model.encode()
    for block in _blocks(call):
        above = blake2b(above + block.encode(), key=salt, digest_size=16).digest()
        keys.append(above)
    return tuple(keys)


def _blocks(call: LaneCall) -> Iterator[str]:
    """Cut what the engine will read into full blocks, in the order in which a chat template sets it: tools, then the turns."""
    pending, count = "", 0
    for piece in _pieces(call):
        pending += piece
        while len(pending) >= _BLOCK_CHARACTERS:
            yield pending[:_BLOCK_CHARACTERS]
            pending, count = pending[_BLOCK_CHARACTERS:], count + 1
            if count == _MOST_BLOCKS:
                return


def _pieces(call: LaneCall) -> Iterator[str]:
    for tool in call.client_tools if call.tool_choice != "none" else ():
        yield f"{tool.name}\n{tool.description}\n{tool.parameters_json}\n"
    for message in call.messages:
        yield f"\x1e{message.role}\n"
        for part in message.content:
            yield part.text if isinstance(part, TextPart) else part.data
        for asked in message.tool_calls:
            yield f"\n{asked.name} {asked.arguments}"


@dataclass(slots=True)
class Holders:
    """Which replicas read which beginnings, the latest of them first. Bounded: the beginning that was used longest ago is forgotten."""

    most: int = 50_000
    _known: OrderedDict[bytes, tuple[str, ...]] = field(default_factory=OrderedDict)

    def of(self, keys: tuple[bytes, ...], replicas: Collection[str]) -> tuple[str, ...]:
        """Return those of the replicas that hold the longest known beginning; none where no beginning is known."""
        for key in reversed(keys):
            if here := tuple(replica for replica in self._known.get(key, ()) if replica in replicas):
                return here
        return ()

    def add(self, keys: tuple[bytes, ...], replica: str) -> None:
        """Note that a replica has read a call."""
        for key in keys:
            others = tuple(other for other in self._known.pop(key, ()) if other != replica)
            self._known[key] = (replica, *others[: _MOST_HOLDERS - 1])
        while len(self._known) > self.most:
            self._known.popitem(last=False)


def preferred(keys: tuple[bytes, ...], holders: Holders, waiting: Mapping[str, int], slack: int) -> str | None:
    """Return the replica that a call should go to, None where any will do. `waiting`: each replica's open calls.

    The least busy of those that hold the longest beginning. A beginning that none holds goes to the replica which its hash chooses, so that
    several routers, which do not speak to each other, send it to the same one. None, too, where that replica has `slack` calls more open
    than the least busy: there, waiting would cost more than reading again.
    """
    if not keys or not waiting:
        return None
    here = holders.of(keys, waiting.keys())
    if here:
        choice = min(here, key=lambda replica: waiting[replica])
    else:
        choice = max(waiting, key=lambda replica: blake2b(replica.encode(), key=keys[0]).digest())
    return choice if waiting[choice] - min(waiting.values()) < slack else None
