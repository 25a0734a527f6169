"""`lane tools list` and `show`: which tools does the bundle have, and what may each be given?"""

from typing import TYPE_CHECKING, Any

import orjson
import typer

from cli.lines import write
from cli.tools.chosen import BundleOption, Json, Name, loaded, tool_of

if TYPE_CHECKING:
    from router.bundle.files import ToolFile


def show_all(bundle: BundleOption = None, json: Json = False) -> None:
    """Show every tool, what it changes and where it runs.

    Says too whether its arguments leave, and whether a person approves each call.
    """
    tools = loaded(bundle).tools.values()
    if json:
        for tool in tools:
            write(orjson.dumps(_row(tool)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("tool", "changes", "source", "reaches outside", "a person approves")
    for tool in tools:
        row = _row(tool)
        table.add_row(
            tool.name, tool.side_effect, str(row["source"]), _yes(tool.reaches_outside), _yes(tool.needs_person)
        )
    Console().print(table)


def show(name: Name, bundle: BundleOption = None, json: Json = False) -> None:
    """Show one tool's whole contract."""
    tool = tool_of(loaded(bundle), name)
    if json:
        write(orjson.dumps(tool.model_dump(mode="json")))
        return
    import yaml

    typer.echo(yaml.safe_dump(tool.model_dump(mode="json", exclude_defaults=True), sort_keys=False, width=120).rstrip())


def _row(tool: "ToolFile") -> dict[str, Any]:
    return {
        "tool": tool.name,
        "side_effect": tool.side_effect,
        "source": tool.source.kind if tool.source is not None else None,
        "reaches_outside": tool.reaches_outside,
        "needs_person": tool.needs_person,
        "pin": tool.pin,
    }


def _yes(yes: bool) -> str:
    return "yes" if yes else "no"
