"""Which way does a tool's call take? By its source: a worker for the bundle's own code, SQL, an MCP server started here, or the door."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import LangChainSource, McpSource, OpenApiSource, PythonSource, SqlSource
from router.errors import ToolChanged, ToolFailed, ToolTimeout, ToolUnknown
from router.exact import canonical_json, parse_json
from router.tools import ToolUse
from serving.tools.box import Answer, NoWayOut, Runner
from serving.tools.workers import Workers

TOOLS_FOLDER: Final = "tools"
STATE: Final = "LANE_TOOL_STATE"


def variables_of(tools: Mapping[str, ToolFile]) -> frozenset[str]:
    """The variables that sources which run here name: what a call over HTTP is authorised with is the door's alone."""
    found: set[str] = set()
    for tool in tools.values():
        match tool.source:
            case PythonSource() | LangChainSource() | McpSource(url=None):
                found |= set(tool.source.env)
            case SqlSource():
                found.add(tool.source.dsn_env)
            case McpSource() | OpenApiSource() | None:
                pass
    return frozenset(found)


@dataclass(slots=True)
class Sources:
    """Implements `serving.tools.box.Runner` for one bundle. `variables` is the environment that sources' names are looked up in.

    `state` is a folder that the bundle's own code may write to, as `LANE_TOOL_STATE`. `outward` takes calls over HTTP. `close` ends every
    process.
    """

    root: Path
    tools: Mapping[str, ToolFile]
    variables: Mapping[str, str]
    state: Path
    outward: Runner = field(default_factory=NoWayOut)
    _workers: dict[bool, Workers] = field(default_factory=dict)

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        """Call a tool. Raises a `ToolError`."""
        match tool.source:
            case PythonSource() | LangChainSource():
                return await self._run_code(tool, tool.source, use, seconds)
            case SqlSource():
                # Clients of sources are imported where a bundle has such a source: each would add seconds to every start.
                from serving.tools.sql import select

                dsn = self._variable(tool, tool.source.dsn_env)
                return Answer(await select(tool.name, tool.source, dsn, parse_json(use.arguments_json), seconds))
            case McpSource(url=None):
                return await self._run_mcp(tool, tool.source, use, seconds)
            case McpSource() | OpenApiSource():
                return await self.outward.run(tool, use, seconds)
            case None:
                raise ToolUnknown(tool.name, "its file names no `source`, so there is nothing to call")

    async def warm(self) -> None:
        """Start what a first call would wait for."""
        for network in {source.network for source in self._code()}:
            await self._of(network=network).warm()

    async def close(self) -> None:
        """End what runs."""
        for workers in self._workers.values():
            await workers.close()

    async def _run_code(
        self, tool: ToolFile, source: PythonSource | LangChainSource, use: ToolUse, seconds: float
    ) -> Answer:
        question = {
            "kind": source.kind,
            "entry": source.entry,
            "arguments": parse_json(use.arguments_json),
            "key": use.key,
            "pin": tool.pin,
        }
        match await self._of(network=source.network).ask(tool.name, question, seconds):
            case {"result": value}:
                return Answer(_as_text(tool.name, value))
            case {"declined": str(words)}:
                return Answer(words, "declined")
            case {"changed": str(pin)}:
                raise ToolChanged(
                    tool.name, f"its definition hashes to {pin}, the bundle approved {str(tool.pin)[:12]}"
                )
            case answer:
                raise ToolFailed(tool.name, f"it raised {answer.get('failed', 'something')}")

    async def _run_mcp(self, tool: ToolFile, source: McpSource, use: ToolUse, seconds: float) -> Answer:
        from serving.tools.mcp import call, started_by

        variables = {name: self._variable(tool, name) for name in source.env}
        try:
            async with asyncio.timeout(seconds):
                transport = started_by(source.command, variables)
                return await call(tool.name, source.tool, tool.pin, transport, parse_json(use.arguments_json), seconds)
        except TimeoutError as error:
            raise ToolTimeout(tool.name, f"no answer within {seconds:g} s") from error

    def _variable(self, tool: ToolFile, name: str) -> str:
        if not (value := self.variables.get(name)):
            raise ToolFailed(tool.name, f"the variable {name} that its source names is not set here")
        return value

    def _of(self, *, network: bool) -> Workers:
        """The workers with or without the network: what one tool may do, its neighbours in a process may too."""
        if network not in self._workers:
            code = [source for source in self._code() if source.network == network]
            self._workers[network] = Workers(
                folder=self.root / TOOLS_FOLDER,
                modules=tuple(sorted({source.entry.partition(":")[0] for source in code})),
                variables={
                    name: self.variables[name] for source in code for name in source.env if name in self.variables
                }
                | {STATE: str(self.state)},
                network=network,
            )
        return self._workers[network]

    def _code(self) -> list[PythonSource | LangChainSource]:
        found = (tool.source for tool in self.tools.values())
        return [source for source in found if isinstance(source, PythonSource | LangChainSource)]


def _as_text(tool: str, value: Any) -> str:
    """A text stays as it is; anything else is JSON."""
    if isinstance(value, str):
        return value
    try:
        return canonical_json(value)
    except ValueError as error:
        raise ToolFailed(tool, f"what it returned is no JSON: {error}") from error
