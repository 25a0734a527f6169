"""How is a LangChain tool called? By its own `invoke`; its definition is pinned like any stranger's."""

from collections.abc import Mapping
from typing import Any

from router.tools.pins import definition_sha256


def definition_of(tool: Any) -> dict[str, Any]:
    """Return a tool's raw definition: its name, description and the JSON Schema of its arguments. Raises `TypeError` for what is none."""
    from langchain_core.tools import BaseTool

    if not isinstance(tool, BaseTool):
        raise TypeError("the entry is no LangChain tool")
    return {"name": tool.name, "description": tool.description, "inputSchema": tool.get_input_jsonschema()}


def pin_of(tool: Any) -> str:
    """Return the hash that the tool's file must hold as its `pin`."""
    return definition_sha256(definition_of(tool))


def invoke(tool: Any, arguments: Mapping[str, Any]) -> Any:
    """Return what the tool returns: a text, or a value that JSON can hold."""
    return tool.invoke(dict(arguments))
