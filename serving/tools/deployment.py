"""Where do tools run in the cluster? One Serve deployment a version of the tools, beside the models; nothing in it goes out over HTTP.

It keeps no state: a tool's own state is in the systems that it speaks to, or in `tool-state/` of the home folder.
"""

from pathlib import Path
from typing import Any, Final

from ray.serve.handle import DeploymentHandle

from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import leaves
from router.bundle.source import read_source
from router.errors import ToolError, ToolFailed
from router.tools import ToolUse
from serving.settings import Settings, named_variables
from serving.tools.box import Answer, Runner
from serving.tools.sources import Sources, variables_of

TOOLBOX: Final = "toolbox"
"""The deployment's name, in each of its applications."""


class ToolboxReplica:
    """The deployment: one bundle's sources, called for whoever holds its handle (the ingress checks each call before and after)."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        tools = {tool.name: tool for tool in read_source(folder).tools.values()}
        settings.tool_state.mkdir(mode=0o700, exist_ok=True)
        self._sources = Sources(folder, tools, named_variables(variables_of(tools)), settings.tool_state)
        self._warm = False

    async def run(self, tool: str, use: ToolUse, seconds: float) -> Answer:
        """Call a tool's source. Raises a `ToolError`."""
        found = self._sources.tools.get(tool)
        if found is None or found.source is None or leaves(found.source):
            raise ToolFailed(tool, "it does not run here")
        return await self._sources.run(found, use, seconds)

    async def check_health(self) -> None:
        """Have a worker up before the first call: Serve asks this before it calls the replica ready."""
        if not self._warm:
            await self._sources.warm()
            self._warm = True


class RemoteRunner:
    """Implements `serving.tools.box.Runner` by asking the deployment."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle: Any = handle

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        """Call a tool there. Ray hands the replica's own error on inside its own; whatever else it raises is a failure of the tool."""
        try:
            answer: Answer = await self._handle.run.remote(tool.name, use, seconds)
        except Exception as error:
            raised = getattr(error, "cause", error)
            if isinstance(raised, ToolError):
                raise raised from error
            raise ToolFailed(tool.name, f"the toolbox did not answer ({type(error).__name__})") from error
        return answer


class InsideAndOut:
    """Implements `serving.tools.box.Runner`: what goes out over HTTP goes by one way, all else stays here."""

    def __init__(self, inside: Runner, outward: Runner) -> None:
        self._inside, self._outward = inside, outward

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        """Call a tool by its way."""
        out = tool.source is not None and leaves(tool.source)
        return await (self._outward if out else self._inside).run(tool, use, seconds)
