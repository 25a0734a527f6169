from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.nodes import Node
from cluster.planner.packing import Packing, Workload, pack


def node(name: str, gpus: int, *, cpus: int = 64, memory_gib: float = 512) -> Node:
    return Node(
        name=name,
        gpu="h100" if gpus else None,
        gpu_count=gpus,
        memory_gib=memory_gib,
        cpus=cpus,
        site="a",
        jurisdiction="de",
    )


def load(
    model: str,
    guaranteed: int,
    elastic: int = 0,
    *,
    gpus: float = 1,
    spare: int = 0,
    stages: int = 1,
    memory_gib: float = 8,
) -> Workload:
    return Workload(model, guaranteed, elastic, spare, gpus, 1, memory_gib, stages, lambda _: None)


def places(packing: Packing, model: str) -> list[str]:
    return sorted(one.node for one in packing.placed if one.model == model)


loads = st.lists(
    st.builds(
        load,
        st.text("abcdef", min_size=1, max_size=2),
        st.integers(0, 5),
        st.integers(0, 3),
        gpus=st.sampled_from((1, 2, 4)),
        spare=st.integers(0, 2),
        stages=st.sampled_from((1, 1, 2)),
        memory_gib=st.sampled_from((8, 100)),
    ),
    max_size=5,
    unique_by=lambda one: one.model,
)
nodes = st.lists(st.tuples(st.integers(0, 8), st.sampled_from((128, 512))), min_size=1, max_size=5).map(
    lambda sizes: [node(f"n{index}", gpus, memory_gib=memory) for index, (gpus, memory) in enumerate(sizes)]
)


@settings(max_examples=40)
@given(loads, nodes)
def test_no_node_holds_more_than_it_has(wanted: list[Workload], machines: list[Node]) -> None:
    packing = pack(wanted, machines)

    by_model = {one.model: one for one in wanted}
    for machine in machines:
        here = [by_model[one.model] for one in packing.placed if one.node == machine.name]
        assert sum(one.gpus for one in here) <= machine.gpu_count
        assert sum(one.cpus for one in here) <= machine.cpus
        assert sum(one.memory_gib for one in here) <= machine.memory_gib


@settings(max_examples=40)
@given(loads, nodes)
def test_every_replica_has_its_place_or_is_reported(wanted: list[Workload], machines: list[Node]) -> None:
    packing = pack(wanted, machines)

    for one in wanted:
        for part, count in (("guaranteed", one.guaranteed), ("elastic", one.elastic)):
            parts = [placed for placed in packing.placed if placed.model == one.model and placed.part == part]
            missing = sum(gone.replicas for gone in packing.unplaced if gone.model == one.model and gone.part == part)
            assert len(parts) == (count - missing) * one.stages
            assert all(number == one.stages for number in Counter(placed.replica for placed in parts).values())


@settings(max_examples=40)
@given(loads, nodes)
def test_no_single_node_takes_more_replicas_with_it_than_there_are_spares(
    wanted: list[Workload], machines: list[Node]
) -> None:
    packing = pack(wanted, machines)

    for one in wanted:
        for machine in machines:
            touched = {
                placed.replica
                for placed in packing.placed
                if placed.model == one.model and placed.node == machine.name and placed.part == "guaranteed"
            }
            assert not one.spare or len(touched) <= one.spare


@settings(max_examples=40)
@given(loads, nodes)
def test_a_node_more_never_leaves_more_guaranteed_replicas_out(wanted: list[Workload], machines: list[Node]) -> None:
    """Where the smaller site holds them all, so does the larger."""
    if any(gone.part == "guaranteed" for gone in pack(wanted, machines).unplaced):
        return

    larger = pack(wanted, [*machines, node("new", 8)])

    assert larger.gave_up or not [gone for gone in larger.unplaced if gone.part == "guaranteed"]


def test_a_large_replica_is_not_shut_out_by_small_ones() -> None:
    packing = pack([load("small", 4, gpus=1), load("large", 1, gpus=4)], [node("one", 4), node("two", 4)])

    assert packing.fits
    assert len(set(places(packing, "small"))) == 1
    assert places(packing, "small")[0] != places(packing, "large")[0]


def test_the_exact_search_finds_what_first_fit_misses() -> None:
    """Best fit puts 'b' beside 'a' on the node that 'c', spread over both nodes, needs."""
    wanted = [load("a", 1, gpus=3), load("b", 2, gpus=2), load("c", 2, gpus=2, spare=1), load("d", 1, gpus=1)]

    assert pack(wanted, [node("one", 6), node("two", 6)]).fits


def test_what_does_not_fit_says_what_each_node_lacks() -> None:
    packing = pack([load("large", 2, gpus=4)], [node("one", 4), node("two", 2)])

    (gone,) = packing.unplaced
    assert (gone.model, gone.replicas) == ("large", 1)
    assert gone.because == "one: 0 GPUs free, 4 needed; two: 2 GPUs free, 4 needed"


def test_what_may_also_leave_stands_wherever_there_is_room() -> None:
    packing = pack([load("m", 2, elastic=6, spare=1)], [node("a", 4), node("b", 4)])

    assert packing.fits
    assert Counter(places(packing, "m")) == {"a": 4, "b": 4}


def test_spares_need_nodes_of_their_own() -> None:
    packing = pack([load("m", 2, spare=1)], [node("only", 8)])

    assert (
        packing.unplaced[0].because == "only: holds 1 of its replicas: with 1 to spare a node may take no more with it"
    )


def test_stages_of_a_pipeline_may_stand_on_several_nodes() -> None:
    packing = pack([load("deep", 1, gpus=4, stages=2)], [node("one", 4), node("two", 4)])

    assert places(packing, "deep") == ["one", "two"]


def test_the_surge_of_an_upgrade_is_reserved_or_said_to_be_missing() -> None:
    roomy = pack([load("m", 1, gpus=2)], [node("one", 4)])
    tight = pack([load("m", 2, gpus=2)], [node("one", 4)])

    assert roomy.surges[0].nodes == ("one",)
    assert tight.surges[0].nodes == ()
    assert tight.surges[0].because == "one: 0 GPUs free, 2 needed"
