import pytest

from cluster.nodes import Node
from cluster.planner.workloads import adapter_bytes, gpu_shortage, reckoned_cache_tokens, workloads
from models.catalogue import find_model
from models.spec import Adapter, EngineSpec, ModelSpec, Scaling
from router.bundle.files import LaneSpec

LLAMA = ModelSpec(
    name="llama-3.1-8b", family="llama", source="hub:x/y", folder="x", licence="any", context_tokens=16_384, gpu="h100",
    scaling=Scaling(min_replicas=2, max_replicas=4, spare_replicas=1),
)  # fmt: skip
NODE = Node(name="n", gpu="H100-SXM-80GB", gpu_count=8, memory_gib=512, cpus=64, site="a", jurisdiction="de")


def lane(jurisdictions: tuple[str, ...] = (), n_plus: int = 0) -> LaneSpec:
    return LaneSpec(name="private", model=LLAMA.name, jurisdictions=jurisdictions, n_plus=n_plus)


def test_a_models_replicas_are_those_of_its_scaling() -> None:
    (load,) = workloads((LLAMA,), (lane(),), 0)

    assert (load.guaranteed, load.elastic, load.spare, load.gpus) == (2, 2, 1, 1)


def test_spares_that_the_bundle_lacks_come_on_top() -> None:
    (load,) = workloads((LLAMA,), (lane(),), 2)

    assert (load.guaranteed, load.elastic, load.spare) == (3, 2, 2)


def test_of_fixed_replicas_as_many_are_spares_as_a_lane_promises() -> None:
    (load,) = workloads((LLAMA.model_copy(update={"scaling": None, "replicas": 3}),), (lane(n_plus=1),), 0)

    assert (load.guaranteed, load.elastic, load.spare) == (3, 0, 1)


def test_stages_of_a_pipeline_are_parts_of_a_replica() -> None:
    deep = LLAMA.model_copy(update={"engine": EngineSpec(tensor_parallel_size=2, pipeline_parallel_size=2)})

    (load,) = workloads((deep,), (), 0)

    assert (load.stages, load.gpus) == (2, 2)


@pytest.mark.parametrize(
    ("node", "jurisdictions", "said"),
    [
        (NODE, (), None),
        (NODE, ("EU", "US"), None),
        (NODE, ("US",), "under the law of de"),
        (NODE.model_copy(update={"private": False}), (), "not private"),
        (NODE.model_copy(update={"gpu": "l40s"}), (), "GPUs of class l40s"),
    ],
)
def test_a_node_that_will_not_do_says_why(node: Node, jurisdictions: tuple[str, ...], said: str | None) -> None:
    (load,) = workloads((LLAMA,), (lane(jurisdictions),), 0)

    because = load.refuses(node)

    assert because is None if said is None else because is not None and said in because


def test_a_model_too_large_for_its_gpus_is_told_with_what_is_short() -> None:
    large = LLAMA.model_copy(update={"name": "llama-3.3-70b", "catalogue": "llama-3.3-70b"})

    short = gpu_shortage(large)

    assert short is not None
    assert "GiB short: TP1" in short
    assert gpu_shortage(large.model_copy(update={"engine": EngineSpec(tensor_parallel_size=4)})) is None


def test_a_model_whose_fp8_cache_fits_is_not_called_too_large() -> None:
    """A request of 131,072 tokens of Llama 3.1 8B takes 16 GiB of cache in 16 bits, 8 GiB in FP8; an L4 has 24 GB in all."""
    long = LLAMA.model_copy(update={"gpu": "l4", "context_tokens": 131_072})
    narrow = long.model_copy(update={"engine": EngineSpec(kv_cache_dtype="fp8")})

    assert gpu_shortage(long) is not None
    assert gpu_shortage(narrow) is None


def test_a_replicas_cache_is_what_weights_leave_twice_as_many_tokens_in_fp8() -> None:
    wide = reckoned_cache_tokens(LLAMA)
    narrow = reckoned_cache_tokens(LLAMA.model_copy(update={"engine": EngineSpec(kv_cache_dtype="fp8")}))

    assert wide is not None
    assert 300_000 < wide < 600_000  # 80 GB less 8 to 16 of weights, at 128 KiB a token.
    assert narrow == pytest.approx(2 * wide, rel=0.001)
    assert reckoned_cache_tokens(LLAMA.model_copy(update={"gpu": None})) is None


def test_adapters_take_room_beside_each_projection() -> None:
    """Llama 3.1 8B, rank 16, all linear layers: PEFT counts 41,943,040 parameters."""
    shape = find_model("llama-3.1-8b").architecture

    assert adapter_bytes(shape, (Adapter(name="a", folder="a", max_rank=16),)) == 2 * 41_943_040
    assert adapter_bytes(shape, ()) == 0
