"""`lane tools`: which tools does the bundle have, how does another come in, and what does one answer when it is called by hand?"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.lines import write
from router.errors import BadRequest

if TYPE_CHECKING:
    from router.bundle import Bundle
    from router.bundle.files import ToolFile

tools_app = typer.Typer(
    no_args_is_help=True, help="List the bundle's tools, import more, approve a changed one, call one."
)
import_app = typer.Typer(
    no_args_is_help=True, help="Take tools into the bundle: from an OpenAPI file, or an MCP server."
)
tools_app.add_typer(import_app, name="import")

BundleOption = Annotated[
    Path | None,
    typer.Option(help="The bundle's folder; by default $LANE_BUNDLE, else config/starter.", show_default=False),
]
Name = Annotated[str, typer.Argument(help="The tool's name.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


@tools_app.command("list")
def show_all(bundle: BundleOption = None, json: Json = False) -> None:
    """Show every tool, what it changes and where it runs.

    Says too whether its arguments leave, and whether a person approves each call.
    """
    loaded = _loaded(bundle)
    if json:
        for tool in loaded.tools.values():
            write(orjson.dumps(_row(tool)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("tool", "changes", "source", "reaches outside", "a person approves")
    for tool in loaded.tools.values():
        row = _row(tool)
        table.add_row(
            tool.name, tool.side_effect, str(row["source"]), _yes(tool.reaches_outside), _yes(tool.needs_person)
        )
    Console().print(table)


@tools_app.command()
def show(name: Name, bundle: BundleOption = None, json: Json = False) -> None:
    """Show one tool's whole contract."""
    tool = _tool(_loaded(bundle), name)
    if json:
        write(orjson.dumps(tool.model_dump(mode="json")))
        return
    import yaml

    typer.echo(yaml.safe_dump(tool.model_dump(mode="json", exclude_defaults=True), sort_keys=False, width=120).rstrip())


@import_app.command("openapi")
def import_openapi(
    file: Annotated[Path, typer.Argument(help="An OpenAPI 3 file, JSON or YAML.", show_default=False)],
    base_url: Annotated[
        str, typer.Option(help="Where calls go. The file's own `servers` are not asked.", show_default=False)
    ],
    operation: Annotated[
        list[str] | None,
        typer.Option(help="An operationId to take; again for more. None: show what there is.", show_default=False),
    ] = None,
    reads: Annotated[
        list[str] | None,
        typer.Option(help="An operationId that only reads, though its method says otherwise.", show_default=False),
    ] = None,
    credential_env: Annotated[
        str | None, typer.Option(help="The variable that holds the credential, at the door.", show_default=False)
    ] = None,
    idempotency_header: Annotated[
        str | None, typer.Option(help="The header that takes an idempotency key.", show_default=False)
    ] = None,
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Show an OpenAPI file, or take some of it.

    Each is shown with its side effect, and the sign that it was read off; those named with --operation come into the bundle.
    """
    from router.tools.openapi import Imported, Refused
    from router.tools.openapi import import_openapi as operations
    from serving.tools.files import write_tool

    wanted = set(operation or ())
    root = _folder(bundle)
    counts: dict[str, int] = {}
    for one in operations(_document(file), base_url, reads or ()):
        match one:
            case Refused(operation=named, because=because):
                if named in wanted:
                    raise BadRequest(f"operation {named} can't be a tool: {because}")
                counts["refused"] = counts.get("refused", 0) + 1
                if not wanted:
                    _say({"operation": named, "refused": because}, f"{'refused':<13} {named}: {because}", json=json)
            case Imported(tool=tool, because=because):
                named = getattr(tool.source, "operation", "")
                counts[tool.side_effect] = counts.get(tool.side_effect, 0) + 1
                row = {"operation": named, "tool": tool.name, "side_effect": tool.side_effect, "because": because}
                if named in wanted:
                    wanted.discard(named)
                    written = write_tool(root, _authorised(tool, credential_env, idempotency_header))
                    _say({**row, "file": str(written)}, f"{tool.side_effect:<13} {tool.name}: {written}", json=json)
                elif not operation:
                    _say(row, f"{tool.side_effect:<13} {tool.name}: {because}", json=json)
    if wanted:
        raise BadRequest(f"{file} has no operation {', '.join(sorted(wanted))}")
    typer.echo(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())), err=True)


@import_app.command("mcp")
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

    root, wanted = _folder(bundle), set(tool or ())
    found = _definitions(server, tuple(env or ()), bearer_env)
    if unknown := sorted(wanted - found.keys()):
        raise BadRequest(f"the server has no tool {', '.join(unknown)}; it has {', '.join(found) or 'none'}")
    for name, definition in found.items():
        classified = classify_mcp(definition.get("annotations"))
        row: dict[str, Any] = {"tool": name, "side_effect": classified.side_effect, "because": classified.because}
        if not wanted:
            _say(row, f"{classified.side_effect:<13} {name}: {classified.because}", json=json)
        elif name in wanted:
            made = mcp_tool(definition, _mcp_source(name, server, tuple(env or ()), bearer_env))
            written = write_tool(root, made, definition)
            _say({**row, "file": str(written), "pin": made.pin}, f"{made.side_effect:<13} {name}: {written}", json=json)


@tools_app.command()
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

    root = _folder(bundle)
    known = _tool(_loaded(bundle), name)
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
    _say({"tool": name, "pin": made.pin, "changed": changed, "changes": found}, words, json=json)


@tools_app.command()
def call(
    name: Name,
    arguments: Annotated[str, typer.Option(help="A JSON object.")] = "{}",
    org: Annotated[str, typer.Option(help="The tenant in whose name it is called.")] = "local",
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Call a tool by hand; one that changes anything is refused.

    Every check is made but a person's. Its source runs here, with this environment; a call over HTTP goes by the running system's door,
    like any other.
    """
    import asyncio

    result = asyncio.run(_called(_loaded(bundle), name, arguments, org))
    said = {
        "tool": name,
        "ended": result.ended,
        "result": orjson.loads(result.json) if result.json is not None else result.text,
        "label": result.label.model_dump(),
        "concern": result.concern,
        "arguments_sha256": result.arguments_sha256,
        "seconds": round(result.seconds, 3),
    }
    _say(said, result.text, json=json)


async def _called(bundle: "Bundle", name: str, arguments: str, org: str) -> Any:
    import secrets
    import time

    from router.contract import Label
    from router.tools import ToolUse
    from serving.hosted import door_client_of
    from serving.permit_keys import read_private_key
    from serving.settings import named_variables, read_settings
    from serving.tools.box import GuardedToolBox, NoWayOut, Runner
    from serving.tools.by_door import ByDoor
    from serving.tools.sources import Sources, variables_of

    class Clock:
        def monotonic(self) -> float:
            return time.monotonic()

    settings = read_settings(bundle.root)
    settings.tool_state.mkdir(mode=0o700, parents=True, exist_ok=True)
    outward: Runner = NoWayOut()
    if settings.permit_key_file.exists():
        key = read_private_key(settings.permit_key_file)
        outward = ByDoor(door_client_of(settings), key, bundle.hash, time.time)
    variables = named_variables(variables_of(bundle.tools))
    sources = Sources(bundle.root, bundle.tools, variables, settings.tool_state, outward)
    tenant = bundle.tenants.get(org)
    use = ToolUse(
        trace_id=secrets.token_hex(16),
        attempt=1,
        tool=name,
        arguments_json=arguments,
        org=org,
        label=tenant.label if tenant is not None else Label(),
        risk_tier="low",
    )
    try:
        return await GuardedToolBox(bundle, sources, Clock()).call(use)
    finally:
        await sources.close()


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


def _authorised(tool: "ToolFile", credential_env: str | None, idempotency_header: str | None) -> "ToolFile":
    """Add what an import says of all its tools. Raises `BadRequest` for a variable's name that is none."""
    from pydantic import ValidationError

    from cli.lines import complaint
    from router.bundle.files import ToolFile

    fields = tool.model_dump()
    if credential_env is not None:
        fields["source"]["credential"] = {"env": credential_env}
    if idempotency_header is not None and tool.side_effect != "read":
        fields["source"]["idempotency_header"] = idempotency_header
        fields["idempotent"] = True
    try:
        return ToolFile.model_validate(fields)
    except ValidationError as error:
        raise BadRequest(f"--credential-env: {complaint(error)}") from error


def _document(file: Path) -> Any:
    import yaml

    try:
        text = file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file}: {error.strerror}") from error
    try:
        return orjson.loads(text) if text.lstrip()[:1] == b"{" else yaml.load(text, Loader=yaml.CSafeLoader)
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequest(f"{file} is neither JSON nor YAML: {str(error).splitlines()[0]}") from error


def _folder(bundle: Path | None) -> Path:
    from serving.settings import read_settings

    return read_settings(bundle).bundle


def _loaded(bundle: Path | None) -> "Bundle":
    from router.bundle import load_bundle

    return load_bundle(_folder(bundle))


def _tool(bundle: "Bundle", name: str) -> "ToolFile":
    if name not in bundle.tools:
        raise BadRequest(f"the bundle has no tool {name!r}; it has {', '.join(bundle.tools) or 'none'}")
    return bundle.tools[name]


def _row(tool: "ToolFile") -> dict[str, Any]:
    return {
        "tool": tool.name,
        "side_effect": tool.side_effect,
        "source": tool.source.kind if tool.source is not None else None,
        "reaches_outside": tool.reaches_outside,
        "needs_person": tool.needs_person,
        "pin": tool.pin,
    }


def _say(row: dict[str, Any], words: str, *, json: bool) -> None:
    if json:
        write(orjson.dumps(row))
    else:
        typer.echo(words)


def _yes(yes: bool) -> str:
    return "yes" if yes else "no"
