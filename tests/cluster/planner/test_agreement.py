"""Two ways to the same steady state: the simulation step by step, and the closed form that `lane plan predict` uses."""

import pytest

from cluster.planner.efficiencies import calibration
from cluster.planner.load import poisson
from cluster.planner.predict import engine_of, read_case, settle
from cluster.planner.remembered import Remembered
from cluster.planner.simulate import Fleet, closed_loop


@pytest.mark.parametrize(
    ("model", "gpus", "tokens_in", "tokens_out", "at_once"),
    [
        ("llama-3.1-8b", 1, 1000, 1000, 64),
        ("llama-3.1-8b", 1, 128, 2048, 256),
        ("llama-3.3-70b", 2, 5000, 500, 40),
        ("qwen3-235b-a22b", 8, 2048, 2048, 128),
    ],
)
def test_simulation_and_closed_form_agree(model: str, gpus: int, tokens_in: int, tokens_out: int, at_once: int) -> None:
    case = read_case(
        {
            "model": model, "gpu": "h100", "gpu_count": str(gpus), "parallelism": f"TP{gpus}", "precision": "FP8",
            "isl": str(tokens_in), "osl": str(tokens_out), "concurrency_or_batch": str(at_once),
        }
    )  # fmt: skip
    engine = engine_of(case, calibration())

    settled = settle(case, engine)
    simulated = closed_loop(Fleet(Remembered(engine)), poisson(1, tokens_in, tokens_out, 64), at_once, rounds=4)

    assert simulated.output_tokens_per_second == pytest.approx(settled.output_tokens_per_second, rel=0.08)
    assert simulated.at("tpot", None) == pytest.approx(settled.tpot_seconds, rel=0.08)
