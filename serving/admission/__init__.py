"""Which calls may enter a private lane's engines now, which wait for a place, and which are sent on or away? Policy: `docs/overload.md`."""

from serving.admission.gate import Gate
from serving.admission.lane import AdmittedLane, onward, out
from serving.admission.rooms import Rooms
from serving.admission.standing import Standings

__all__ = ["AdmittedLane", "Gate", "Rooms", "Standings", "onward", "out"]
