import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import McpSource
from router.errors import ToolChanged, ToolFailed, ToolResultInvalid, ToolTimeout
from serving.tools.files import mcp_tool
from serving.tools.mcp import definitions, started_by
from serving.tools.sources import Sources
from tests.serving.tools.kit import use

pytestmark = pytest.mark.slow

SERVER = Path(__file__).with_name("mcp_server.py")


def source(how: str) -> McpSource:
    return McpSource(tool="search", command=(sys.executable, str(SERVER), how))


def listed(how: str = "well") -> dict[str, Any]:
    return asyncio.run(definitions("desk", started_by(source(how).command, {})))


def called(tool: ToolFile, tmp_path: Path, seconds: float = 30.0) -> Any:
    sources = Sources(tmp_path, {tool.name: tool}, {}, tmp_path)
    return asyncio.run(sources.run(tool, use(tool=tool.name, arguments_json='{"query":"kettle"}'), seconds))


def approved(how: str) -> ToolFile:
    """The tool as it was pinned when its server was well, and how its server is now."""
    return mcp_tool(listed()["search"], source(how))


def servers() -> list[int]:
    """The servers that this process started and that still run."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # It ended just now.
            found += [child.pid] if str(SERVER) in child.cmdline() else []
    return found


def test_a_definition_is_read_raw_and_says_what_the_tool_changes() -> None:
    found = listed()["search"]

    assert found["description"] == "Search the help centre."
    assert mcp_tool(found, source("well")).side_effect == "read"


def test_the_approved_tool_is_called(tmp_path: Path) -> None:
    answer = called(approved("well"), tmp_path)

    assert (answer.text, answer.ended) == ("found kettle", "answered")


@pytest.mark.parametrize("how", ["poisoned", "gone"])
def test_a_tool_that_is_not_the_approved_one_is_not_called(how: str, tmp_path: Path) -> None:
    with pytest.raises(ToolChanged):
        called(approved(how), tmp_path)


def test_one_that_nobody_approved_is_not_called_either(tmp_path: Path) -> None:
    with pytest.raises(ToolChanged, match="nobody has approved"):
        called(approved("well").model_copy(update={"pin": None}), tmp_path)


def test_an_error_of_the_tool_s_is_an_answer(tmp_path: Path) -> None:
    assert called(approved("errs"), tmp_path).ended == "declined"


def test_what_is_no_text_becomes_no_part_of_a_prompt(tmp_path: Path) -> None:
    with pytest.raises(ToolResultInvalid):
        called(approved("image"), tmp_path)


def test_a_server_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises((ToolTimeout, ToolFailed)):
        called(approved("hangs"), tmp_path, seconds=3.0)

    assert not servers()


def test_a_command_that_is_none_fails(tmp_path: Path) -> None:
    tool = approved("well").model_copy(update={"source": McpSource(tool="search", command=("/no/such/program",))})

    with pytest.raises(ToolFailed):
        called(tool, tmp_path)
