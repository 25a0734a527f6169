"""How is an MCP server's tool called? Its raw definition is read anew and held against the pin, then it is called: in one connection.

A server is started, or connected to, for each call: nothing of one tenant's call is there for the next. It may ask nothing back: no
model of ours (sampling), no question to a person (elicitation), no folder (roots).
"""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult, ListToolsRequest, PaginatedRequestParams, TextContent
from pydantic import BaseModel, Field

from router.errors import ToolChanged, ToolError, ToolFailed, ToolResultInvalid
from router.exact import canonical_json
from router.tools.pins import check_pin
from serving.tools.box import Answer

PAGES_AT_MOST: Final = 50
Transport = AbstractAsyncContextManager[Any]


class _Page(BaseModel):
    """A page of `tools/list`, its entries as the server wrote them: the SDK's own types would drop fields that they do not know."""

    tools: list[dict[str, Any]] = []
    next_cursor: str | None = Field(default=None, alias="nextCursor")


@asynccontextmanager
async def started_by(command: tuple[str, ...], variables: Mapping[str, str]) -> AsyncGenerator[Any, None]:
    """Be the transport to a server that is started for this connection, with no more environment than these variables and a path."""
    program, *arguments = command
    parameters = StdioServerParameters(command=program, args=arguments, env=dict(variables))
    # What a stranger's server prints may hold what it was asked.
    with Path(os.devnull).open("w") as unread:  # noqa: ASYNC230 - it never blocks
        async with stdio_client(parameters, errlog=unread) as streams:
            yield streams


async def definitions(server: str, transport: Transport) -> dict[str, dict[str, Any]]:
    """Return a server's tools by name, each raw: every field that it sent. Raises `ToolFailed`."""
    try:
        async with Client(transport, cache=None) as client:
            return await _listed(client)
    except Exception as error:
        raise _failure(server, error) from error


async def call(
    name: str, tool: str, pin: str | None, transport: Transport, arguments: Mapping[str, Any], seconds: float
) -> Answer:
    """Return what the server's `tool` answers, if it is the pinned one. `name` is the tool's in the bundle. Raises a `ToolError`."""
    try:
        async with Client(transport, cache=None, read_timeout_seconds=seconds) as client:
            outcome = await _call_pinned(client, name, tool, pin, arguments)
    except Exception as error:
        raise _failure(name, error) from error
    # Raised out here: within, the SDK's task groups would wrap it.
    if isinstance(outcome, ToolError):
        raise outcome
    return _answer(name, outcome)


async def _call_pinned(
    client: Client, name: str, tool: str, pin: str | None, arguments: Mapping[str, Any]
) -> CallToolResult | ToolError:
    defined = (await _listed(client)).get(tool)
    if defined is None:
        return ToolChanged(name, "its server has no such tool any more")
    try:
        check_pin(name, pin, defined)
    except ToolChanged as changed:
        return changed
    return await client.call_tool(tool, dict(arguments))


async def _listed(client: Client) -> dict[str, dict[str, Any]]:
    """Every page of `tools/list`, raw."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    for _ in range(PAGES_AT_MOST):
        request = ListToolsRequest(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        page = await client.session.send_request(request, _Page)
        found |= {str(one.get("name")): one for one in page.tools}
        cursor = page.next_cursor
        if not cursor:
            return found
    raise ValueError("its list of tools has no end")


def _answer(name: str, result: CallToolResult) -> Answer:
    """Its structured content, else its words. What is neither (an image, a link to fetch) becomes no part of a prompt."""
    if any(not isinstance(part, TextContent) for part in result.content) and result.structured_content is None:
        raise ToolResultInvalid(name, ("it holds content that is no text",))
    words = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        return Answer(words, "declined")
    if result.structured_content is not None:
        return Answer(canonical_json(result.structured_content))
    return Answer(words)


def _failure(name: str, error: BaseException) -> ToolError:
    """Return what a failure of the SDK's is to us. A stranger's words are not told on, they may hold what was put in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ToolError):
        return error
    because = f"its server answered error {error.error.code}" if isinstance(error, MCPError) else type(error).__name__
    return ToolFailed(name, f"its MCP server failed: {because}")
