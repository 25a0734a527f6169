import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli.main import app

HEAVY = ("vllm", "ray", "torch", "transformers", "openai")


@pytest.mark.slow
def test_help_loads_no_engine() -> None:
    program = f"import sys, cli.main; print([name for name in {HEAVY} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])

    assert result.exit_code == 0
    for command in ("up", "down", "status", "doctor", "ask", "decide", "explain", "bundle", "door"):
        assert f" {command} " in result.stdout


def test_an_unknown_option_is_bad_input() -> None:
    result = CliRunner().invoke(app, ["decide", "--nope"])

    assert result.exit_code == 2
    assert result.stdout == ""
