"""`lane bench`: what is refused before anything is started, and what a comparison ends with."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.throughput.outputs import write_run
from cli.main import app
from cluster.planner.steady import Sample
from tests.benchmarks.throughput.runs import a_report, a_sample

run = CliRunner().invoke


def requests(factor: float) -> list[Sample]:
    return [a_sample(float(n), ttft=factor * (0.4 + n / 100), end_to_end=factor * (1.4 + n / 100)) for n in range(30)]


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, str]:
    """The folders of three runs: one, the same a quarter slower, and one at another level."""
    folders = {}
    for name, level, factor in (("a", 4, 1.0), ("slower", 4, 1.25), ("other", 8, 1.0)):
        write_run(a_report({level: requests(factor)}), tmp_path / name, ())
        folders[name] = str(tmp_path / name)
    return folders


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["no-such-model"], "no-such-model"),
        (["all-minilm-l6-v2"], "embeddings"),
        (["smollm2-135m-instruct", "--lane", "premium"], "premium"),
        (["smollm2-135m-instruct", "--sweep", "--levels", "1,2"], "--sweep"),
        (["smollm2-135m-instruct", "--levels", "1,1"], "--levels"),
        (["smollm2-135m-instruct", "--levels", "1.5"], "--levels"),
        (["smollm2-135m-instruct", "--rates", "fast"], "--rates"),
        (["smollm2-135m-instruct", "--slo", "itl_p95=1s"], "itl_p95"),
        (["smollm2-135m-instruct", "--trace", "no/such/file"], "no/such/file"),
    ],
)
def test_bad_input_is_named_and_starts_nothing(arguments: list[str], named: str) -> None:
    done = run(app, ["bench", "run", *arguments, "--json"])

    assert done.exit_code == 2
    assert named in json.loads(done.stdout)["error"]["message"]


def test_a_slower_run_ends_with_1_and_a_like_one_with_0(runs: dict[str, str]) -> None:
    slower = run(app, ["bench", "compare", runs["a"], runs["slower"], "--json"])
    same = run(app, ["bench", "compare", runs["a"], runs["a"]])

    assert slower.exit_code == 1
    *rows, verdict = map(json.loads, slower.stdout.splitlines())
    assert {row["measure"]: row["verdict"] for row in rows} == dict.fromkeys(
        ("ttft", "tpot", "e2e", "tokens_per_second"), "worse"
    )
    assert verdict == {"worse": True, "differences": []}
    assert same.exit_code == 0
    assert "4 at once" in same.stdout


def test_runs_that_can_not_be_compared_end_with_2(runs: dict[str, str]) -> None:
    assert run(app, ["bench", "compare", runs["a"], runs["other"]]).exit_code == 2
    assert run(app, ["bench", "compare", runs["a"], "no/such/run"]).exit_code == 2
