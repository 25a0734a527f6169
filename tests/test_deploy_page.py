import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "deploy.md"


def commands() -> Iterator[list[str]]:
    """Every `lane …` of the page, in blocks and between backquotes."""
    for line in PAGE.read_text().splitlines():
        shown = [line.strip()] if line.startswith("    ") else re.findall(r"`([^`]+)`", line)
        for text in shown:
            words = shlex.split(text, comments=True)
            while words and "=" in words[0]:
                words.pop(0)
            if words and words[0] == "lane":
                yield words[1:]


@pytest.mark.parametrize("words", {" ".join(words): words for words in commands()}.values(), ids=" ".join)
def test_every_command_of_the_page_exists_with_its_options(words: list[str]) -> None:
    command: click.Command = typer.main.get_command(app)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        if rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, f"lane has no {rest[0]}"
        command = command.commands[rest.pop(0)]

    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in rest if word.startswith("-")} <= known
