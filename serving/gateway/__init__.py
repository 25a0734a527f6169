"""The way of a request, whatever the transport: from what a caller asked to an answer and its evidence."""

from serving.gateway.gateway import Gateway
from serving.gateway.planner import Planner
from serving.gateway.trace import Opening, Trace

__all__ = ["Gateway", "Opening", "Planner", "Trace"]
