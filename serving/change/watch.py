"""May this bundle be used here, now? The one in force may; any while nobody is named to approve; none while somebody is, and has not.

The door asks before each send: a tightening holds from the moment its entry is on the disk, whatever still runs under the old bundle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from router.bundle import Bundle
from router.errors import RouterError
from serving.change.history import in_force

Mode = Literal["unsigned", "approved", "nothing_approved"]


@dataclass(frozen=True, slots=True)
class Watch:
    """`changes` is the history's file, `approvers` the folder of trusted keys."""

    changes: Path
    approvers: Path

    def objection(self, bundle_hash: str) -> str | None:
        """Say why this bundle may not be used now, or None. Raises nothing: a history that can't be read is an objection."""
        try:
            ours = self.in_force
            if ours is None:
                return _NOTHING_APPROVED if self.mode == "nothing_approved" else None
        except RouterError as error:
            return str(error)
        if ours == bundle_hash:
            return None
        return f"bundle {ours[:12]} is in force, not {bundle_hash[:12]}: `lane down`, then `lane up` without naming a bundle"

    @property
    def in_force(self) -> str | None:
        """The hash of the bundle in force; None where none was ever applied. Raises `HistoryBroken`."""
        entry = in_force(self.changes)
        return entry.change.bundle_hash if entry else None

    @property
    def mode(self) -> Mode:
        """Say what holds here. Raises `HistoryBroken`."""
        if self.in_force is not None:
            return "approved"
        return "nothing_approved" if any(self.approvers.glob("*.pub")) else "unsigned"

    def closing(self, bundle: Bundle) -> Callable[[], dict[str, str]]:
        """Return what a door that holds this bundle asks before each send: which hosted lanes the change of bundle closes, and why."""
        hosted = tuple(name for name, lane in bundle.lanes.items() if lane.is_hosted)

        def closed() -> dict[str, str]:
            objection = self.objection(bundle.hash)
            return dict.fromkeys(hosted, objection) if objection is not None else {}

        return closed


_NOTHING_APPROVED = "approvers are named here and no bundle is in force: `lane bundle sign`, then `lane bundle apply`"
