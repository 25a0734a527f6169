"""How does a tool's call go out over HTTP? By the door's process alone, with the credential that only its environment holds."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import LangChainSource, McpSource, OpenApiSource, PythonSource, SqlSource
from router.errors import ToolFailed, ToolTimeout
from router.exact import parse_json
from router.tools import ToolUse
from serving.tools.box import Answer
from serving.tools.http import request
from serving.tools.reach import client_to


class Outward:
    """Implements `serving.tools.box.Runner` for calls over HTTP. `secrets` are credentials by variable."""

    def __init__(self, secrets: Mapping[str, SecretStr]) -> None:
        self._secrets = secrets

    async def run(self, tool: ToolFile, use: ToolUse, seconds: float) -> Answer:
        """Send a call and return the answer. Raises a `ToolError`."""
        arguments = parse_json(use.arguments_json)
        try:
            async with asyncio.timeout(seconds):
                match tool.source:
                    case OpenApiSource() as source:
                        secret = self._secret(source.credential.env) if source.credential else None
                        return await request(tool.name, source, arguments, use.key, secret, seconds)
                    case McpSource(url=str(url)) as source:
                        from serving.tools.mcp import (
                            call,
                        )  # Only where a bundle has such a tool: it is seconds of every start.

                        secret = self._secret(source.bearer_env) if source.bearer_env else None
                        if source.bearer_env and secret is None:
                            raise ToolFailed(tool.name, f"the variable {source.bearer_env} is not set at the door")
                        transport = mcp_at(url, source, secret, seconds)
                        return await call(tool.name, source.tool, tool.pin, transport, arguments, seconds)
                    case McpSource() | PythonSource() | LangChainSource() | SqlSource() | None:
                        raise ToolFailed(tool.name, "it is not called over HTTP")
        except TimeoutError as error:
            raise ToolTimeout(tool.name, f"no answer within {seconds:g} s") from error

    def _secret(self, variable: str) -> str | None:
        found = self._secrets.get(variable)
        return None if found is None else found.get_secret_value()


@asynccontextmanager
async def mcp_at(url: str, source: McpSource, secret: str | None, seconds: float) -> AsyncGenerator[Any, None]:
    """Be the transport to an MCP server over HTTP: this origin alone, with the token if there is one."""
    from mcp.client.streamable_http import streamable_http_client

    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    async with (
        client_to(url, source.addresses, headers, seconds) as client,
        streamable_http_client(url, http_client=client) as streams,
    ):
        yield streams
