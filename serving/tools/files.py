"""How does a tool come into a bundle, and a changed definition too? Its file is written whole, its raw definition beside it, or nothing.

`tools/definitions/NAME.json` is the definition that was looked at: the pin is its hash, and what changed since is a comparison with it.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import McpSource
from router.errors import BadRequest
from router.tools.effects import classify_mcp
from router.tools.pins import definition_sha256

DEFINITIONS: Final = "definitions"
_NAME_CHARACTERS: Final = 64


def file_of(root: Path, name: str) -> Path:
    """Return where a tool's file is, whatever it is called there. Raises `BadRequest` where the bundle has none of that name."""
    for file in sorted((root / "tools").glob("*.yaml")):
        if yaml.safe_load(file.read_text(encoding="utf-8")).get("name") == name:
            return file
    raise BadRequest(f"{root} has no tool {name!r}")


def write_tool(
    root: Path, tool: ToolFile, definition: Mapping[str, Any] | None = None, *, replace: bool = False
) -> Path:
    """Write a tool's file, and the definition that its pin is of. Raises `BadRequest` where there is one already."""
    file = root / "tools" / f"{tool.name}.yaml"
    if file.exists() and not replace:
        raise BadRequest(f"{file} is there already; remove it first, or import under another name")
    file.parent.mkdir(exist_ok=True)
    if definition is not None:
        (file.parent / DEFINITIONS).mkdir(exist_ok=True)
        _write(
            definition_file(root, tool.name),
            json.dumps(definition, indent=2, sort_keys=True, ensure_ascii=False) + "\n",
        )
    fields = tool.model_dump(mode="json", exclude_defaults=True)
    # Said even where it is the default: whoever reads the file should see it.
    fields |= {"side_effect": tool.side_effect, "reaches_outside": tool.reaches_outside}
    fields["source"] = {"kind": tool.source.kind, **fields["source"]} if tool.source is not None else None
    _write(file, yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120))
    return file


def mcp_tool(definition: Mapping[str, Any], source: McpSource, name: str | None = None) -> ToolFile:
    """Return the file of an MCP server's tool, with its definition's pin. Raises `BadRequest` for a definition that is none."""
    try:
        return ToolFile.model_validate(
            {
                "name": (name or str(definition.get("name")))[:_NAME_CHARACTERS],
                "description": str(definition.get("description") or definition.get("title") or definition.get("name")),
                "side_effect": classify_mcp(definition.get("annotations")).side_effect,
                "reaches_outside": True,
                "parameters": definition.get("inputSchema") or {"type": "object"},
                "result": definition.get("outputSchema") or {},
                "pin": definition_sha256(definition),
                "source": source.model_dump(),
            }
        )
    except ValueError as error:
        raise BadRequest(
            f"the server's tool {definition.get('name')!r} can't be taken: {str(error).splitlines()[0]}"
        ) from error


def definition_file(root: Path, name: str) -> Path:
    """Return where the definition is kept that somebody looked at."""
    return root / "tools" / DEFINITIONS / f"{name}.json"


def changes(before: Any, after: Any, at: str = "") -> list[str]:
    """Say what differs between two definitions, field by field, with both values cut short."""
    if before == after:
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            change
            for key in sorted({*before, *after})
            for change in changes(before.get(key), after.get(key), f"{at}/{key}")
        ]
    return [f"{at or '/'}: {_short(before)} is now {_short(after)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _write(file: Path, text: str) -> None:
    """Whole or not at all: a running system may be reading it."""
    with tempfile.NamedTemporaryFile(
        "w", dir=file.parent, prefix=f".{file.name}-", delete=False, encoding="utf-8"
    ) as new:
        new.write(text)
    Path(new.name).chmod(0o644)
    Path(new.name).replace(file)
