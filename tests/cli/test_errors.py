import json

import pytest
import typer
from typer.testing import CliRunner

from cli.errors import ClusterAnswered, LaneGroup, NotRunning, exit_outcome
from router.errors import BadRequest, PolicyDenied, RouterError


def app_that_raises(error: Exception) -> typer.Typer:
    app = typer.Typer(cls=LaneGroup)

    @app.command()
    def fail(text: str = "", json: bool = False) -> None:
        raise error

    @app.command()
    def other() -> None:
        pass

    return app


def test_a_failure_is_one_sentence_on_stderr_and_the_tables_exit_code() -> None:
    result = CliRunner().invoke(app_that_raises(BadRequest("text: is missing", "text")), ["fail"])

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "lane: text: is missing\n"


def test_with_json_the_failure_is_one_compact_line_on_stdout() -> None:
    result = CliRunner().invoke(app_that_raises(PolicyDenied("closed", ("p1",))), ["fail", "--json"])

    assert result.exit_code == 1
    assert result.stdout == '{"error":{"code":"policy_denied","message":"closed"}}\n'


def test_a_text_that_looks_like_the_option_is_no_option() -> None:
    result = CliRunner().invoke(app_that_raises(NotRunning("down")), ["fail", "--", "--json"])

    assert result.stdout == ""


def test_brackets_in_a_message_are_shown_as_they_are() -> None:
    result = CliRunner().invoke(app_that_raises(RouterError("messages[0]: [bold]no[/bold]")), ["fail", "--json"])

    assert "messages[0]: [bold]no[/bold]" in result.stderr
    assert json.loads(result.stdout)["error"]["message"] == "messages[0]: [bold]no[/bold]"


def test_a_bug_is_not_dressed_up_as_an_answer() -> None:
    result = CliRunner().invoke(app_that_raises(ZeroDivisionError()), ["fail"])

    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("policy_denied", 403, 1),
        ("model_not_found", 404, 2),
        ("lane_timeout", 504, 1),
        ("a_code_of_tomorrow", 400, 2),
        ("a_code_of_tomorrow", 503, 1),
    ],
)
def test_a_clusters_error_leaves_with_the_exit_code_of_its_own_code(code: str, status: int, exit_code: int) -> None:
    assert exit_outcome(ClusterAnswered("x", code, status)).exit_code == exit_code
