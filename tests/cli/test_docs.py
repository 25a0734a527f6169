from pathlib import Path

import pytest

from cli import docs


def test_the_page_is_current() -> None:
    assert docs.main(["--check"]) == 0, "run `python -m cli.docs`"


def test_a_stale_page_is_named_and_then_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cli.md"
    file.write_text("stale")

    assert docs.main(["--check"], file) == 1
    assert "python -m cli.docs" in capsys.readouterr().err
    assert docs.main([], file) == 0
    assert docs.main(["--check"], file) == 0


def test_another_argument_is_bad_input() -> None:
    assert docs.main(["--force"]) == 2


def test_summaries_are_whole_sentences() -> None:
    assert "..." not in docs.page().replace("[ARGS]...", "")
