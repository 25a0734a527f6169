import asyncio
from pathlib import Path
from typing import Any

import pytest

from router.bundle.files import ToolFile
from router.errors import ToolChanged, ToolFailed
from serving.tools.sources import Sources
from tests.serving.tools.kit import use

pytestmark = pytest.mark.slow

CODE = '''
from langchain_core.tools import tool

@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b

no_tool = 3
'''


def called(folder: Path, pin: str | None, entry: str = "numbers_:multiply") -> Any:
    tool = ToolFile.model_validate(
        {
            "name": "multiply",
            "description": "Multiply",
            "side_effect": "read",
            "parameters": {"type": "object"},
            "pin": pin,
            "source": {"kind": "langchain", "entry": entry},
        }
    )

    async def through() -> Any:
        sources = Sources(folder, {tool.name: tool}, {}, folder)
        try:
            return await sources.run(tool, use(tool="multiply", arguments_json='{"a":6,"b":7}'), 30)
        finally:
            await sources.close()

    return asyncio.run(through())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pytest.importorskip("langchain_core", reason="the extra `langchain` is not installed")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "numbers_.py").write_text(CODE)
    return tmp_path


def test_a_langchain_tool_answers_once_its_definition_is_pinned(folder: Path) -> None:
    from langchain_core.tools import tool

    from serving.tools.langchain import pin_of

    @tool
    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    assert called(folder, pin_of(multiply)).text == "42"


def test_one_whose_definition_is_another_is_refused(folder: Path) -> None:
    with pytest.raises(ToolChanged):
        called(folder, "0" * 64)


def test_what_is_no_langchain_tool_fails(folder: Path) -> None:
    with pytest.raises(ToolFailed, match="TypeError"):
        called(folder, None, "numbers_:no_tool")
