"""The way of a request, whatever the transport: from what a caller asked to an answer and its evidence."""

from serving.gateway.gateway import Gateway
from serving.gateway.planner import Planner
from serving.gateway.recorder import Recorder
from serving.gateway.trace import Opening, Trace
from serving.gateway.waiting import Waiting

__all__ = ["Gateway", "Opening", "Planner", "Recorder", "Trace", "Waiting"]
