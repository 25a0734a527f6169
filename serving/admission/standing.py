"""How urgent is a call, and how much does its tenant count, where not all can be served at once?

What must stay is more urgent than all that may leave, whoever asks: it has nowhere else to go. Among each, the tenant's priority decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from router.bundle.files import TenantSpec
from router.bundle.variables import stays_private
from router.lane import LaneCall

_CHARACTERS_PER_TOKEN: Final = 4
"""Good enough to compare requests with each other."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a call stands: `urgency` as `router.queueing.Entry` has it; `priority` as the bundle says it, for the metrics."""

    urgency: int
    weight: float
    priority: str


class Standings:
    """The standing of each call by the tenants of one bundle."""

    def __init__(self, tenants: Iterable[TenantSpec]) -> None:
        self._tenants = {tenant.org: tenant for tenant in tenants}
        # Ranks, not the numbers themselves: between two priorities lies one step, however far apart a bundle writes them.
        priorities = sorted({tenant.priority for tenant in self._tenants.values()})
        self._ranks = {priority: rank for rank, priority in enumerate(priorities)}

    def of(self, call: LaneCall) -> Standing:
        """Return a call's standing. One of no tenant is the system's own (a judge's look at what is about to leave): others wait for it."""
        levels = len(self._ranks)
        tenant = self._tenants.get(call.org)
        if tenant is None:
            return Standing(2 * levels, 1.0, "own")
        stays = levels if stays_private(call.label.level, call.label.categories) else 0
        return Standing(self._ranks[tenant.priority] + stays, tenant.weight, str(tenant.priority))


def cost_of(call: LaneCall) -> float:
    """Return what a call may cost an engine, in tokens: its prompt's, about, and the longest answer that it allows."""
    characters = sum(len(message.text) for message in call.messages)
    return 1.0 + characters / _CHARACTERS_PER_TOKEN + call.max_tokens
