"""Is `docs/cli.md` what `lane --help` says today? `python -m cli.docs` writes it, `--check` compares."""

import re
import sys
from pathlib import Path
from typing import Any, Final

import typer
from typer.cli import get_docs_for_click

from cli.main import app

FILE: Final = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
_CONVENTIONS: Final = """
With `--json`, stdout is compact JSON, one value a line; everything else goes to stderr, and a failure is
`{"error": {"code", "message"}}`. Exit codes: 0 yes, 1 no (a finding, a denial, a failure, a refusal to start), 2 bad input. A planned
refusal or a pending approval is an answer: exit 0. Errors and codes: [routing-contract.md](routing-contract.md).

This page is written by `python -m cli.docs` from the commands themselves.
"""


def page() -> str:
    """Return the page's text: every command with its arguments and options."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name="lane")
    written = get_docs_for_click(obj=command, ctx=context, name="lane")
    head, _, rest = written.partition("\n**Usage**")
    sections = f"{head}{_CONVENTIONS}\n**Usage**{rest}".split("\n## ")
    return "\n## ".join(_whole_summaries(command, section) for section in sections).rstrip() + "\n"


def main(arguments: list[str], file: Path = FILE) -> int:
    """Write or check; return 0 when all is well, 1 when `--check` found the page stale, 2 on another argument."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m cli.docs [--check]", file=sys.stderr)
        return 2
    if not arguments:
        file.write_text(page(), encoding="utf-8")
        return 0
    if file.is_file() and file.read_text(encoding="utf-8") == page():
        return 0
    print("docs/cli.md does not agree with the commands: run `python -m cli.docs`", file=sys.stderr)
    return 1


def _whole_summaries(group: Any, section: str) -> str:
    """Put whole sentences where the generator cut them off in a list of commands."""
    path = re.match(r"(?:# )?`lane ?([^`]*)`", section)
    for name in path[1].split() if path else ():
        group = getattr(group, "commands", {}).get(name)
    for name, command in getattr(group, "commands", {}).items():
        section = re.sub(
            rf"^\* `{name}`: .*$", f"* `{name}`: {' '.join(command.help.split())}", section, flags=re.MULTILINE
        )
    return section


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
