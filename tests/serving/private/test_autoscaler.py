"""Ray is imported when the tests run (it warns of itself, and takes seconds), so these are marked slow."""

import importlib
import warnings
from pathlib import Path
from typing import Any

import pytest

from models.spec import EngineSpec, ModelSpec, Scaling
from serving.private.scaling import Load

pytestmark = pytest.mark.slow

SCALING = Scaling(
    min_replicas=1,
    max_replicas=4,
    target_ongoing_requests=12,
    upscale_delay_seconds=6,
    downscale_delay_seconds=300,
    start_seconds=60,
)


def ray_module(name: str) -> Any:
    """Import a module that imports Ray."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


@pytest.fixture
def autoscaler() -> Any:
    return ray_module("serving.private.autoscaler")


def context(metrics: dict[str, dict[str, float]], open_requests: float) -> Any:
    """What Serve's controller hands the policy."""
    return ray_module("ray.serve.config").AutoscalingContext(
        deployment_id=None,
        deployment_name="private-small",
        app_name="model-small",
        current_num_replicas=2,
        target_num_replicas=2,
        running_replicas=[],
        total_num_requests=open_requests,
        total_queued_requests=0.0,
        aggregated_metrics=metrics,
        raw_metrics={},
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=4,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=0.0,
        config=None,
    )


def test_serve_is_given_the_models_own_settings_and_its_policy(autoscaler: Any) -> None:
    config = autoscaler.autoscaling_config(SCALING)

    assert (config.min_replicas, config.max_replicas, config.target_ongoing_requests) == (1, 4, 12)
    assert (config.upscale_delay_s, config.downscale_delay_s) == (6, 300)
    policy = config.policy.get_policy()(**config.policy.policy_kwargs)
    assert policy._scaling == SCALING


def test_the_load_is_what_serve_counts_and_what_the_replicas_report(autoscaler: Any) -> None:
    reported = {
        "waiting": {"a": 3.0, "b": 1.0},
        "private_waiting": {"a": 2.0, "b": 0.0},
        "kv_use": {"a": 0.9, "b": 0.1},
    }

    assert autoscaler._load(context(reported, 17.5)) == Load(17.5, 4.0, 2.0, 0.5)


def test_replicas_that_have_not_reported_yet_count_as_idle(autoscaler: Any) -> None:
    assert autoscaler._load(context({}, 3.0)) == Load(3.0)


def test_a_model_in_stages_on_several_gpus_scales_by_placement_groups() -> None:
    spec = ModelSpec(
        name="large",
        family="llama",
        source="x",
        folder="large",
        licence="x",
        context_tokens=4096,
        gpu="h100",
        engine=EngineSpec(tensor_parallel_size=2, pipeline_parallel_size=2),
        scaling=SCALING,
    )

    application = ray_module("serving.private.deployment").private_application(spec, Path("/models/large"))

    deployment = application._bound_deployment
    assert deployment._deployment_config.autoscaling_config.max_replicas == 4
    assert [bundle["GPU"] for bundle in deployment._replica_config.placement_group_bundles] == [1, 1, 1, 1]


def test_the_page_lists_every_metric_of_an_engine() -> None:
    gauges, page = ray_module("serving.private.gauges"), Path("docs/metrics.md").read_text()

    missing = [name for name in (*gauges._NOW, *gauges._TOTALS, "ended_total") if f"`lane_engine_{name}`" not in page]

    assert missing == []
