"""How does a failure leave the command? One clear message, and the exit code of the one table (`router.errors`).

Exit 0 is yes, 1 is no, 2 is bad input. The message goes to stderr; with `--json` an error object goes to stdout as well.
"""

import sys
from collections.abc import Iterator
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup
from typing_extensions import override

from router.errors import Outcome, RouterError, outcome_of

_JSON = "cli.errors.json"


class NotRunning(RouterError):
    """Nothing answers at the cluster's address."""

    code = "not_running"


class ClusterAnswered(RouterError):
    """The cluster answered with an error of its own; `error_code` is the one it gave."""

    def __init__(self, message: str, error_code: str, http_status: int) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.http_status = http_status


class LaneGroup(TyperGroup):
    """The command `lane`: turns a `RouterError` of any command below it into a message and an exit code."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Asked here, because a failing command takes its own parsed options with it.
        ctx.meta[_JSON] = _asks_for_json(args)
        return super().parse_args(ctx, args)

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RouterError as error:
            tell(error, json=ctx.meta[_JSON])
            raise typer.Exit(exit_outcome(error).exit_code) from error


def tell(error: RouterError, *, json: bool) -> None:
    """Print a failure where its reader looks for it."""
    if json:
        sys.stdout.write(error_line(error) + "\n")
    Console(stderr=True, soft_wrap=True).print(Text.assemble(("lane: ", "bold red"), str(error)))


def error_line(error: RouterError) -> str:
    """Return the failure as the compact JSON that `--json` promises."""
    detail = {"code": exit_outcome(error).code, "message": str(error)}
    return orjson.dumps({"error": detail}).decode()


def exit_outcome(error: RouterError) -> Outcome:
    """Return the table's row; a cluster's answer is looked up by the code that it gave."""
    if not isinstance(error, ClusterAnswered):
        return outcome_of(error)
    exit_codes = {kind.code: kind.exit_code for kind in _all_errors(RouterError)}
    otherwise = 2 if 400 <= error.http_status < 500 else 1
    exit_code = exit_codes.get(error.error_code, otherwise)
    return Outcome(error.http_status, error.error_code, outcome_of(error).type, exit_code)


def _all_errors(kind: type[RouterError]) -> Iterator[type[RouterError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _all_errors(narrower)


def _asks_for_json(arguments: list[str]) -> bool:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options
