"""A real MCP server at an address of this machine, and the side of the door that calls it."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer

from router.bundle.files.tool_sources import McpSource
from router.errors import ToolChanged, ToolFailed
from serving.tools.files import mcp_tool
from serving.tools.mcp import definitions
from serving.tools.outward import Outward, mcp_at
from tests.serving.tools.kit import use

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]  # The SDK's own server is only the other side here.


@pytest.fixture
def url() -> Iterator[str]:
    desk = MCPServer("desk")

    @desk.tool()
    def search(query: str) -> str:
        """Search the help centre."""
        return f"found {query}"

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(desk.streamable_http_app(), log_level="warning"))
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    server.should_exit = True
    thread.join(10)
    listener.close()


def test_a_pinned_tool_is_called_and_a_changed_one_or_an_unlisted_address_is_not(url: str) -> None:
    source = McpSource(tool="search", url=url)
    found = asyncio.run(definitions("desk", mcp_at(url, source, None, 20.0)))
    tool = mcp_tool(found["search"], source)
    asked = use(tool="search", arguments_json='{"query":"kettle"}')

    answer = asyncio.run(Outward({}).run(tool, asked, 20.0))

    assert answer.text == '{"result":"found kettle"}'
    with pytest.raises(ToolChanged):
        asyncio.run(Outward({}).run(tool.model_copy(update={"pin": "0" * 64}), asked, 20.0))
    elsewhere = McpSource.model_validate({"tool": "search", "url": url, "addresses": ["10.0.0.0/8"]})
    with pytest.raises(ToolFailed):
        asyncio.run(Outward({}).run(tool.model_copy(update={"source": elsewhere}), asked, 20.0))
