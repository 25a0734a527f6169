"""`lane tools import openapi`: which operations does a file describe, and which of them become tools?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.tools.chosen import BundleOption, Json, folder_of, say
from router.errors import BadRequest

if TYPE_CHECKING:
    from router.bundle.files import ToolFile


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
    root = folder_of(bundle)
    counts: dict[str, int] = {}
    for one in operations(_document(file), base_url, reads or ()):
        match one:
            case Refused(operation=named, because=because):
                if named in wanted:
                    raise BadRequest(f"operation {named} can't be a tool: {because}")
                counts["refused"] = counts.get("refused", 0) + 1
                if not wanted:
                    say({"operation": named, "refused": because}, f"{'refused':<13} {named}: {because}", json=json)
            case Imported(tool=tool, because=because):
                named = getattr(tool.source, "operation", "")
                counts[tool.side_effect] = counts.get(tool.side_effect, 0) + 1
                row = {"operation": named, "tool": tool.name, "side_effect": tool.side_effect, "because": because}
                if named in wanted:
                    wanted.discard(named)
                    written = write_tool(root, _authorised(tool, credential_env, idempotency_header))
                    say({**row, "file": str(written)}, f"{tool.side_effect:<13} {tool.name}: {written}", json=json)
                elif not operation:
                    say(row, f"{tool.side_effect:<13} {tool.name}: {because}", json=json)
    if wanted:
        raise BadRequest(f"{file} has no operation {', '.join(sorted(wanted))}")
    typer.echo(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())), err=True)


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
