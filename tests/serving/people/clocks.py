"""Both clocks of a machine, moved by hand."""

from dataclasses import dataclass

from serving.people.moments import Moment


@dataclass
class Clocks:
    wall: float = 1_000_000.0
    monotonic: float = 500.0
    boot: str = "first"

    def __call__(self) -> Moment:
        return Moment(self.wall, self.monotonic, self.boot)

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds
