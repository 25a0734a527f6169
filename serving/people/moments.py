"""When is a person's time over? As soon as either clock says so: the wall's can be set back, the machine's own ends with a restart."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by both clocks. `boot` names the run of the machine that `monotonic` counts in."""

    wall: float
    monotonic: float
    boot: str

    def after(self, seconds: float) -> "Moment":
        """Return the moment that many seconds later."""
        return Moment(self.wall + seconds, self.monotonic + seconds, self.boot)

    def is_over(self, now: "Moment") -> bool:
        """Tell whether this moment has passed by either clock. After a restart of the machine the wall's is all there is."""
        return now.wall >= self.wall or (now.boot == self.boot and now.monotonic >= self.monotonic)

    def is_in_this_run(self, now: "Moment") -> bool:
        """Tell whether the machine has not been started anew in between: if it was, nobody knows for how long it was off."""
        return now.boot == self.boot


Now = Callable[[], Moment]


def this_moment() -> Moment:
    """Return now, by this machine's clocks."""
    return Moment(time.time(), time.monotonic(), _boot())


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
