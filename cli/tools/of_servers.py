"""`lane tools import mcp` and `approve`: what does an MCP server say of its tools now, and is that taken?"""

import shlex
from typing import Annotated, Any

import orjson
import typer

from cli.tools.chosen import BundleOption, Json, Name, folder_of, loaded, say, tool_of
from router.errors import BadRequest


def import_mcp(
    server: Annotated[
        str, typer.Argument(help="A command that starts a server, or its https address.", show_default=False)
    ],
    tool: Annotated[
        list[str] | None,
        typer.Option(help="A tool to take; again for more. None: show what there is.", show_default=False),
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="A variable that the started server may read.", show_default=False)
    ] = None,
    bearer_env: Annotated[
        str | None, typer.Option(help="The variable that holds the address's token.", show_default=False)
    ] = None,
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Show an MCP server's tools, or take some.

    Each that is named with --tool comes into the bundle, pinned to its raw definition of now.
    """
    from router.tools.effects import classify_mcp
    from serving.tools.files import mcp_tool, write_tool

    root, wanted = folder_of(bundle), set(tool or ())
    found = _definitions(server, tuple(env or ()), bearer_env)
    if unknown := sorted(wanted - found.keys()):
        raise BadRequest(f"the server has no tool {', '.join(unknown)}; it has {', '.join(found) or 'none'}")
    for name, definition in found.items():
        classified = classify_mcp(definition.get("annotations"))
        row: dict[str, Any] = {"tool": name, "side_effect": classified.side_effect, "because": classified.because}
        if not wanted:
            say(row, f"{classified.side_effect:<13} {name}: {classified.because}", json=json)
        elif name in wanted:
            made = mcp_tool(definition, _mcp_source(name, server, tuple(env or ()), bearer_env))
            written = write_tool(root, made, definition)
            say({**row, "file": str(written), "pin": made.pin}, f"{made.side_effect:<13} {name}: {written}", json=json)


def approve(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Take the new definition without asking.")] = False,
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Look at what an MCP server says of a tool now, and pin that.

    What the tool changes, its label and its timeout stay as the bundle says. Exit 1 where nothing was approved.
    """
    from serving.tools.files import changes, definition_file, file_of, mcp_tool, write_tool

    root = folder_of(bundle)
    known = tool_of(loaded(bundle), name)
    source = known.source
    if source is None or source.kind != "mcp":
        raise BadRequest(f"the bundle itself defines {name}: only an MCP server's definition is approved")
    server = source.url or shlex.join(source.command)
    now = _definitions(server, source.env, source.bearer_env).get(source.tool)
    if now is None:
        raise BadRequest(f"{server} has no tool {source.tool!r} any more")
    file = definition_file(root, name)
    before = orjson.loads(file.read_bytes()) if file.exists() else {}
    found, made = changes(before, now), mcp_tool(now, source, name)
    for change in found:
        typer.echo(change, err=True)
    changed = made.pin != known.pin
    if changed and not yes and not typer.confirm(f"Approve this as {name}?", err=True):
        raise typer.Exit(1)
    if changed:
        if file_of(root, name).name != f"{name}.yaml":
            raise BadRequest(f"{file_of(root, name)} should be called {name}.yaml")
        kept = {"description": made.description, "parameters": made.parameters, "result": made.result, "pin": made.pin}
        write_tool(root, known.model_copy(update=kept), now, replace=True)
    words = f"{name} is pinned to {made.pin}" if changed else f"{name} is as it was approved"
    say({"tool": name, "pin": made.pin, "changed": changed, "changes": found}, words, json=json)


def _definitions(server: str, env: tuple[str, ...], bearer_env: str | None) -> dict[str, dict[str, Any]]:
    """Ask a server for its tools, raw."""
    import asyncio

    from serving.settings import named_variables
    from serving.tools.mcp import definitions, started_by
    from serving.tools.outward import mcp_at

    source = _mcp_source("any", server, env, bearer_env)
    if source.url is None:
        return asyncio.run(definitions(server, started_by(source.command, named_variables(env))))
    secret = named_variables([bearer_env]).get(bearer_env) if bearer_env else None
    return asyncio.run(definitions(server, mcp_at(source.url, source, secret, 30.0)))


def _mcp_source(tool: str, server: str, env: tuple[str, ...], bearer_env: str | None) -> Any:
    from pydantic import ValidationError

    from cli.lines import complaint
    from router.bundle.files.tool_sources import McpSource

    at = {"url": server} if "://" in server else {"command": tuple(shlex.split(server))}
    try:
        return McpSource.model_validate({"tool": tool, "env": env, "bearer_env": bearer_env, **at})
    except ValidationError as error:
        raise BadRequest(f"{server}: {complaint(error)}") from error
