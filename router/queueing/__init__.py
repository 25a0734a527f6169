"""Who waits for a full lane, who is served next, who is turned away, and for how long? Pure: time and load are handed in."""

from router.queueing.pace import Pace
from router.queueing.queue import Entry, FairQueue
from router.queueing.room import EngineLoad, own_part, room_of

__all__ = ["EngineLoad", "Entry", "FairQueue", "Pace", "own_part", "room_of"]
