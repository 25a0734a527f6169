from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import EngineSpec, ModelSpec
from serving.private.placement import Placement, demand_of, executor_backend, placement_of, stages_are_whole

MARKS = {"private": 0.001, "gpu_h100": 0.001}


def a_spec(tensor: int = 1, pipeline: int = 1, **changes: Any) -> ModelSpec:
    fields: dict[str, Any] = {
        "name": "m",
        "family": "llama",
        "source": "x",
        "folder": "m",
        "licence": "x",
        "context_tokens": 512,
        "cpus_per_replica": 4,
        "engine": EngineSpec(tensor_parallel_size=tensor, pipeline_parallel_size=pipeline),
    }
    return ModelSpec(**{**fields, **changes})


def test_a_model_on_one_box_demands_processors_and_a_node_that_may_run_private_models() -> None:
    assert placement_of(a_spec()) == Placement(num_cpus=4, num_gpus=0, resources={"private": 0.001})


def test_a_model_on_one_gpu_demands_a_private_node_of_that_class_and_site() -> None:
    placed = placement_of(a_spec(gpu="H100", site="frankfurt"))

    assert placed == Placement(4, 1, {**MARKS, "site_frankfurt": 0.001})
    assert "placement_group_bundles" not in placed.options()


def test_a_tensor_parallel_group_is_one_process_on_one_node_that_holds_the_gpus() -> None:
    spec = a_spec(tensor=4, gpu="h100")

    assert executor_backend(spec) == "mp"
    assert placement_of(spec).options() == {"ray_actor_options": {"num_cpus": 4, "num_gpus": 4, "resources": MARKS}}


def test_each_node_of_a_replica_must_be_under_a_law_that_its_lanes_claim() -> None:
    one, deep = a_spec(gpu="h100", jurisdictions=("uk", "us")), a_spec(2, 2, gpu="h100", jurisdictions=("us",))

    assert placement_of(one).options()["ray_actor_options"]["label_selector"] == {
        "private-lane/jurisdiction": "in(uk,us,undeclared)"
    }
    assert "label_selector" not in placement_of(deep).options()["ray_actor_options"]
    assert (
        placement_of(deep).options()["placement_group_bundle_label_selector"]
        == [{"private-lane/jurisdiction": "in(us,undeclared)"}] * 4
    )


def test_what_a_replica_asks_for_is_said_in_words() -> None:
    spec = a_spec(tensor=2, gpu="h100", site="munich", jurisdictions=("eu", "uk"))

    assert demand_of(spec) == "4 CPU and 2 GPU of class h100 at munich under the law of eu or uk"
    assert demand_of(a_spec()) == "4 CPU"


def test_a_pipeline_is_a_bundle_for_each_gpu_which_ray_may_spread_and_its_process_holds_none() -> None:
    spec = a_spec(tensor=2, pipeline=2, gpu="h100")

    assert executor_backend(spec) == "ray"
    options = placement_of(spec).options()
    assert options["ray_actor_options"] == {"num_cpus": 4, "num_gpus": 0, "resources": {}}
    assert options["placement_group_bundles"] == [{"CPU": 4, "GPU": 1, **MARKS}] + [{"GPU": 1, **MARKS}] * 3
    assert options["placement_group_strategy"] == "PACK"


@given(tensor=st.integers(1, 8), pipeline=st.integers(1, 4))
def test_a_replica_reserves_exactly_the_gpus_of_its_ranks_and_its_process_fits_into_the_first_bundle(
    tensor: int, pipeline: int
) -> None:
    placed = placement_of(a_spec(tensor, pipeline, gpu="h100"))

    reserved = sum(bundle["GPU"] for bundle in placed.bundles) if placed.bundles else placed.num_gpus
    assert reserved == tensor * pipeline
    for first in placed.bundles[:1]:
        assert (placed.num_cpus, placed.num_gpus) <= (first["CPU"], first["GPU"])
        assert placed.resources.keys() <= first.keys()


@pytest.mark.parametrize(
    ("nodes", "whole"),
    [("aabb", True), ("aaaa", True), ("abab", True), ("aaab", False), ("abbb", False), ("abcd", False)],
)
def test_a_stage_is_whole_where_each_node_holds_full_stages(nodes: str, whole: bool) -> None:
    assert stages_are_whole(nodes, tensor_parallel_size=2) is whole
