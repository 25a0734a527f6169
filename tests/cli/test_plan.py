"""`lane plan`: what to run for a load, and where a bundle goes."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli.main import app
from cluster.profile import Fingerprint, Point, Profile, Quantiles, StepFit
from models.weights.starts import Start, record_start

SECONDS = Quantiles(p50=0.1, p95=0.2, p99=0.3, mean=0.12)
MODEL = "smollm2-135m-instruct"
FIT = StepFit(
    prefill_step=0.01,
    prefill_token=1e-4,
    prefill_pair=1e-8,
    decode_step=0.02,
    decode_sequence=0.002,
    decode_context=1e-6,
    error_factor=1.2,
)
LOAD = ("--rps", "1.5", "--isl", "300", "--osl", "60")

Lane = Callable[..., Result]


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lane:
    monkeypatch.setenv("LANE_HOME", str(tmp_path / "home"))
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("LANE_MODELS", str(tmp_path / "models"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["plan", *arguments])

    return run


@pytest.fixture
def measured(lane: Lane, tmp_path: Path) -> Lane:
    point = Point(
        concurrency=4, input_tokens=300, output_tokens=60, requests=20, seconds=10,
        output_tokens_per_second=100, ttft=SECONDS, tpot=SECONDS, end_to_end=SECONDS,
    )  # fmt: skip
    profile = Profile(
        model=MODEL, weights_hash="0" * 64, side="lane", at="2026-01-01T00:00:00Z", dtype="float32", points=(point,), fit=FIT,
        machine=Fingerprint(gpu="cpu", gpu_count=0, processor="any", cores=2, memory_bytes=1),
        kv_capacity_tokens=46_000, max_num_seqs=128, max_num_batched_tokens=2048, start_seconds=40,
    )  # fmt: skip
    folder = tmp_path / "home" / "profiles" / MODEL
    folder.mkdir(parents=True)
    (folder / "20260101.json").write_text(profile.model_dump_json())
    return lane


def answer(result: Result) -> dict[str, Any]:
    (line,) = result.stdout.splitlines()
    return json.loads(line)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_measured_model_is_planned_by_its_profile(measured: Lane) -> None:
    result = measured(
        "--model", MODEL, "--gpu", "cpu", *LOAD, "--slo", "ttft_p95=1s,tpot_p95=100ms", "--n-plus", "1", "--json"
    )

    assert result.exit_code == 0, result.output
    plan = answer(result)
    assert plan["replicas"] == plan["guaranteed_replicas"] + plan["elastic_replicas"]
    assert plan["spare_replicas"] == 1
    assert plan["expected"]["ttft_seconds"]["p95"] <= 1
    assert plan["expected"]["tpot_seconds"]["p95"] <= 0.1
    assert plan["knee_concurrency"] >= plan["knee_concurrency_within_slo"] > 0
    assert plan["node_lost"]["replicas_left"] == plan["replicas"] - 1
    assert plan["node_lost"]["keeps_slo"]
    assert {ground["what"]: ground["provenance"] for ground in plan["grounds"]}["step times"] == "fitted"


@pytest.mark.slow
def test_people_read_the_same_in_words(measured: Lane) -> None:
    result = measured("--model", MODEL, "--gpu", "cpu", *LOAD)

    assert result.exit_code == 0, result.output
    assert "if a node dies" in result.stdout
    assert "fitted to the profile of 2026-01-01" in result.stdout.replace("\n", " ")


@pytest.mark.slow
def test_a_large_fleet_is_planned_in_the_same_time_and_gives_what_is_asked(measured: Lane) -> None:
    result = measured(
        "--model",
        MODEL,
        "--gpu",
        "cpu",
        "--rps",
        "2000",
        "--isl",
        "300",
        "--osl",
        "60",
        "--restricted-share",
        "0",
        "--json",
    )

    plan = answer(result)
    assert plan["guaranteed_replicas"] == plan["spare_replicas"] == 0
    assert plan["replicas"] > 300
    assert plan["expected"]["requests_per_second"] == pytest.approx(2000, rel=0.1)


@pytest.mark.slow
def test_a_level_that_nothing_keeps_is_a_no_with_its_reason(measured: Lane) -> None:
    result = measured("--model", MODEL, "--gpu", "cpu", *LOAD, "--slo", "tpot_p95=1ms", "--json")

    assert result.exit_code == 1
    assert "tpot_p95 is 2" in answer(result)["because"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--model and --gpu"),
        (("--model", MODEL, "--gpu", "cpu"), "--trace FILE, or --rps with --isl and --osl"),
        (("--model", MODEL, "--gpu", "cpu", *LOAD), "lane bench run"),
        (("--model", "llama-3.1-8c", "--gpu", "h100", *LOAD), "llama-3.1-8b"),
        (("--model", "llama-3.1-8b", "--gpu", "h1000", *LOAD), "h100"),
        (("--model", "llama-3.1-8b", "--gpu", "h100", *LOAD, "--precision", "fp7"), "fp7"),
        (("--model", "llama-3.1-8b", "--gpu", "h100", *LOAD, "--slo", "fast"), "ttft_p95=1s"),
    ],
)
def test_what_can_not_be_understood_is_told(lane: Lane, arguments: tuple[str, ...], said: str) -> None:
    result = lane(*arguments)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.slow
def test_a_70b_model_in_fp8_on_two_h100_has_its_knee_between_50_and_100(lane: Lane) -> None:
    """The anchor: 5,000 tokens in and 500 out."""
    result = lane(
        "--model", "llama-3.3-70b", "--gpu", "h100:2", "--precision", "fp8", "--rps", "1", "--isl", "5000", "--osl", "500", "--json"
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    plan = answer(result)
    assert plan["layout"] == "TP2"
    assert 50 <= plan["knee_concurrency"] <= 100
    assert 1 / 1.5 < plan["plateau"]["output_tokens_per_second"] / plan["replicas"] / 898 < 1.5  # NVIDIA publishes 898


@pytest.mark.slow
def test_what_may_leave_is_elastic_and_priced_both_ways(lane: Lane) -> None:
    result = lane(
        "--model", "llama-3.1-8b", "--gpu", "h100", "--rps", "60", "--isl", "2000", "--osl", "300", "--max-gpus", "1",
        "--slo", "ttft_p95=1s,tpot_p95=40ms", "--restricted-share", "0.35", "--n-plus", "1", "--json",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    plan = answer(result)
    assert plan["elastic_replicas"] > 0
    assert plan["guaranteed_replicas"] >= 2
    offers = {offer["lane"]: offer for offer in plan["cost"]["hosted"]}
    assert offers["premium"]["elastic_usd_per_hour"] == pytest.approx(60 * 3600 * 0.65 * (2000 * 2 + 300 * 8) / 1e6)
    assert offers["premium"]["elastic_cheaper"] == "own"
    assert 0 < offers["premium"]["break_even_utilisation"] < 1
    assert {ground["provenance"] for ground in plan["grounds"]} == {"fitted", "computed", "assumed"}


@pytest.mark.slow
def test_the_pages_example_is_what_the_command_says(lane: Lane) -> None:
    page = Path("docs/capacity.md").read_text()
    command = " ".join(page.split("lane plan ", 1)[1].split("\n    lane plan", 1)[0].replace("\\", " ").split())

    said = lane(*command.split())

    assert said.exit_code == 0, said.output
    headline = next(line for line in said.stdout.splitlines() if " replicas of " in line)
    assert headline.startswith("6 replicas of TP1, 6 GPUs")
    assert headline in page


@pytest.mark.slow
def test_one_layout_alone_is_looked_at_where_that_is_asked(lane: Lane) -> None:
    def within(level: str) -> float:
        result = lane(
            "--model", "qwen3-8b", "--gpu", "h100", "--tp", "2", "--rps", "5", "--isl", "800", "--osl", "100", "--slo", level, "--json"
        )  # fmt: skip
        (option,) = answer(result)["options"]
        assert option["layout"] == "TP2"
        return float(option["knee_concurrency_within_slo"])

    assert within("tpot_p95=6ms") <= within("tpot_p95=12ms") <= within("tpot_p95=40ms")


def test_a_model_that_no_layout_holds_is_a_no_that_says_what_is_short(lane: Lane) -> None:
    result = lane("--model", "llama-3.3-70b", "--gpu", "l4:2", *LOAD, "--json")

    assert result.exit_code == 1
    assert "GiB a GPU are missing" in answer(result)["because"]


@pytest.mark.slow
def test_a_start_that_this_machine_remembers_goes_before_the_profiles_and_is_told_as_measured(
    measured: Lane, tmp_path: Path
) -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    took = {"fetch_seconds": 0, "check_seconds": 1, "load_seconds": 89}
    record_start(tmp_path / "models", Start(model=MODEL, weights_hash="x", at=at, warm=True, **took))

    plan = answer(measured("--model", MODEL, "--gpu", "cpu", *LOAD, "--json"))

    assert (plan["start_seconds"], plan["warm_start_seconds"], plan["cold_start_seconds"]) == (90, 90, None)
    (ground,) = [ground for ground in plan["grounds"] if ground["what"] == "start of a replica"]
    assert (ground["provenance"], ground["source"][:13]) == ("measured", "1 warm start(")


@pytest.mark.slow
def test_the_settings_that_follow_are_written_into_the_bundle_and_its_comments_stay(
    measured: Lane, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree("config/starter", bundle)
    before = (bundle / "models.yaml").read_text()

    result = measured(
        "--model", MODEL, "--gpu", "cpu", *LOAD, "--n-plus", "1", "--bundle", str(bundle), "--apply", "--json"
    )

    assert result.exit_code == 0, result.output
    plan, after = answer(result), (bundle / "models.yaml").read_text()
    scaling = yaml.safe_load(after)["models"][0]["scaling"]
    assert scaling["min_replicas"] == plan["guaranteed_replicas"]
    assert scaling["max_replicas"] == plan["replicas"]
    assert scaling["spare_replicas"] == 1
    assert scaling["target_ongoing_requests"] == pytest.approx(plan["target_ongoing_requests"], abs=0.06)
    assert scaling["start_seconds"] == 40
    kept = [line for line in after.splitlines() if line in before.splitlines()]
    assert kept == before.splitlines()


NODES = """\
nodes:
  - {name: one, memory_gib: 16, cpus: 8, site: a, jurisdiction: de}
  - {name: two, memory_gib: 16, cpus: 8, site: a, jurisdiction: us}
  - {name: out, memory_gib: 16, cpus: 8, site: a, jurisdiction: us, private: false, may_reach_out: true}
"""


def test_a_bundle_is_packed_onto_named_nodes(lane: Lane, tmp_path: Path) -> None:
    nodes = tmp_path / "nodes.yaml"
    nodes.write_text(NODES)

    packed = answer(lane("--nodes", str(nodes), "--n-plus", "1", "--json"))
    too_many = lane("--nodes", str(nodes), "--n-plus", "2", "--json")

    assert packed["fits"]
    assert sorted(one["node"] for one in packed["placed"] if one["model"] == MODEL) == ["one", "two"]
    assert all(surge["reserved"] for surge in packed["surge"])
    assert too_many.exit_code == 0  # Two to spare: a node may hold two of the three.
    assert "holds" in lane("--nodes", str(nodes)).stdout


def test_what_has_no_place_is_a_no_that_names_each_node(lane: Lane, tmp_path: Path) -> None:
    nodes = tmp_path / "nodes.yaml"
    nodes.write_text(
        NODES.replace("jurisdiction: us}", "jurisdiction: cn}").replace(
            "memory_gib: 16, cpus: 8, site: a, jurisdiction: de", "memory_gib: 1, cpus: 8, site: a, jurisdiction: de"
        )
    )

    result = lane("--nodes", str(nodes), "--json")

    assert result.exit_code == 1
    because = next(gone["because"] for gone in answer(result)["unplaced"] if gone["model"] == MODEL)
    assert "one: 1 GiB of memory free, 4 needed" in because
    assert "two: is under the law of cn" in because
    assert "out: is not private" in because


def test_a_run_of_too_few_levels_takes_no_older_profiles_place(measured: Lane, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "profiles" / MODEL
    older = Profile.model_validate_json((folder / "20260101.json").read_text())
    thin = older.model_copy(update={"at": "2026-01-02T00:00:00Z", "fit": None})
    (folder / "20260102.json").write_text(thin.model_dump_json())

    result = measured("--model", MODEL, "--gpu", "cpu", *LOAD, "--json")

    assert result.exit_code == 0, result.output
    (steps,) = [ground["source"] for ground in answer(result)["grounds"] if ground["what"] == "step times"]
    assert steps.startswith("fitted to the profile of 2026-01-01")
    assert "passed over: 2026-01-02T00:00:00Z: fewer than 3 levels" in steps


def test_a_site_without_room_for_an_upgrade_is_a_no_unless_a_gap_is_accepted(lane: Lane, tmp_path: Path) -> None:
    nodes = tmp_path / "nodes.yaml"
    nodes.write_text("nodes:\n  - {name: one, memory_gib: 8, cpus: 8, site: a, jurisdiction: de}\n")

    refused, accepted = lane("--nodes", str(nodes)), lane("--nodes", str(nodes), "--no-surge", "--json")

    assert refused.exit_code == 1
    assert "no room for an upgrade" in refused.stdout
    assert accepted.exit_code == 0
    assert (answer(accepted)["fits"], answer(accepted)["upgrades_fit"]) == (True, False)
