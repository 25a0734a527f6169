"""`lane tools`: which tools does the bundle have, how does another come in, and what does one answer when it is called by hand?"""

import typer

from cli.tools.called import call
from cli.tools.imported import import_openapi
from cli.tools.of_servers import approve, import_mcp
from cli.tools.shown import show, show_all

tools_app = typer.Typer(
    no_args_is_help=True, help="List the bundle's tools, import more, approve a changed one, call one."
)
import_app = typer.Typer(
    no_args_is_help=True, help="Take tools into the bundle: from an OpenAPI file, or an MCP server."
)
tools_app.add_typer(import_app, name="import")
tools_app.command("list")(show_all)
tools_app.command()(show)
import_app.command("openapi")(import_openapi)
import_app.command("mcp")(import_mcp)
tools_app.command()(approve)
tools_app.command()(call)
