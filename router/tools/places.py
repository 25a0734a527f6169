"""Which of a bundle's tools run here, and which go out by the door?"""

from collections.abc import Mapping

from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import credentials_of, leaves


def runs_inside(tools: Mapping[str, ToolFile]) -> bool:
    """Whether any of these tools has a source that runs in the cluster."""
    return any(tool.source is not None and not leaves(tool.source) for tool in tools.values())


def reaches_out(tools: Mapping[str, ToolFile]) -> bool:
    """Whether any of these tools is called over HTTP."""
    return any(tool.source is not None and leaves(tool.source) for tool in tools.values())


def door_variables(tools: Mapping[str, ToolFile]) -> frozenset[str]:
    """The variables that calls over HTTP are authorised with: they are for the door's environment alone."""
    sources = [tool.source for tool in tools.values() if tool.source is not None]
    return frozenset(name for source in sources for name in credentials_of(source))
