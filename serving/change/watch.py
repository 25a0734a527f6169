"""May this bundle be used here, now? The one in force may; any while nobody is named to approve; none while somebody is, and has not.

Whoever starts something asks this; what is about to leave is judged by the bundle in force itself (`serving.change.in_force`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
        if (halted := self.halted) is not None:
            return halted
        ours = self.in_force
        if ours is None or ours == bundle_hash:
            return None
        return f"bundle {ours[:12]} is in force, not {bundle_hash[:12]}: start without naming a bundle"

    @property
    def halted(self) -> str | None:
        """Say why nothing may leave here whatever the bundle, or None: the history can't be read, or nothing is approved."""
        try:
            return _NOTHING_APPROVED if self.mode == "nothing_approved" else None
        except RouterError as error:
            return str(error)

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


_NOTHING_APPROVED = "approvers are named here and no bundle is in force: `lane bundle sign`, then `lane bundle apply`"
