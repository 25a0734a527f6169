from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.nodes.all_reduce import AllReduce, AllReduceFailed, Backend, all_reduce
from cluster.nodes.fitness import HARDWARE_XIDS, fitness, judge_all_reduce, judge_xids, unfit
from cluster.nodes.gpu_state import GpuState, NoGpus, Xid, xids_in
from models.gpus import find_gpu
from tests.cluster.nodes.heads import a_node

GPU = GpuState(0, "NVIDIA H100 80GB HBM3", "GPU-0", 81_559 << 20, "580.65.06", 0, False, False, (), "ready")
PAIR = (GPU, replace(GPU, index=1))
NODE = a_node("gpu-1", gpu="h100", gpu_count=2)


def a_well_fabric(ranks: int, _backend: Backend) -> AllReduce:
    return AllReduce(ranks, 400e9, right=True)


def verdicts(reader: NoGpus) -> dict[str, str]:
    return {check.name: check.verdict for check in fitness(NODE, reader, a_well_fabric)}


def test_a_well_machine_passes_every_check() -> None:
    assert verdicts(NoGpus(PAIR)) == dict.fromkeys(("gpus", "driver", "ecc", "xid", "fabric", "all-reduce"), "ok")


def test_a_machine_without_gpus_is_asked_for_none() -> None:
    assert [check.verdict for check in fitness(a_node("cpu-1"), NoGpus(), a_well_fabric)] == ["ok"]


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (NoGpus(PAIR[:1]), "gpus"),
        (NoGpus((GPU, replace(GPU, index=1, name="NVIDIA L40S"))), "gpus"),
        (NoGpus(tuple(replace(gpu, driver="535.104") for gpu in PAIR)), "driver"),
        (NoGpus((GPU, replace(GPU, index=1, uncorrected_errors=1))), "ecc"),
        (NoGpus((GPU, replace(GPU, index=1, rows_failed=True))), "ecc"),
        (NoGpus((GPU, replace(GPU, index=1, fabric="not ready"))), "fabric"),
        (NoGpus((GPU, replace(GPU, index=1, links_down=(3,)))), "fabric"),
        (NoGpus(PAIR, (Xid(31, "0000:3b:00"), Xid(79, "0000:3b:00"))), "xid"),
    ],
)
def test_one_fault_makes_a_machine_unfit_and_says_which_and_what_to_do(reader: NoGpus, name: str) -> None:
    failed = unfit(fitness(NODE, reader, a_well_fabric))

    assert [check.name for check in failed] == [name]
    assert failed[0].mend


def test_a_row_that_waits_to_be_remapped_is_told_and_does_not_stop_the_node() -> None:
    assert verdicts(NoGpus((GPU, replace(GPU, index=1, rows_pending=True))))["ecc"] == "warn"


def test_links_that_no_gpu_of_the_machine_has_are_how_it_was_built() -> None:
    bridged = tuple(replace(gpu, links_down=(12, 13, 14)) for gpu in PAIR)

    assert verdicts(NoGpus(bridged))["fabric"] == "ok"


def test_a_slow_a_wrong_and_a_broken_all_reduce_are_failures() -> None:
    def broken(ranks: int, _backend: Backend) -> AllReduce:
        raise AllReduceFailed(f"a process of {ranks} failed")

    h100 = find_gpu("h100")
    assert judge_all_reduce(AllReduce(2, 179e9, right=True), h100).verdict == "fail"
    assert judge_all_reduce(AllReduce(2, 181e9, right=True), h100).verdict == "ok"
    assert judge_all_reduce(AllReduce(2, 400e9, right=False), h100).verdict == "fail"
    assert [check.name for check in unfit(fitness(NODE, NoGpus(PAIR), broken))] == ["all-reduce"]


def test_xids_are_read_from_the_kernels_own_words() -> None:
    lines = [
        "6,1,2,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module",
        "4,3,4,-;NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
    ]

    assert xids_in(lines) == (Xid(79, "0000:3b:00"),)


@given(numbers=st.lists(st.integers(1, 200)))
def test_any_hardware_fault_among_many_makes_unfit(numbers: list[int]) -> None:
    verdict = judge_xids([Xid(number, "0") for number in numbers]).verdict

    assert (verdict == "fail") == any(number in HARDWARE_XIDS for number in numbers)


@pytest.mark.slow
def test_an_all_reduce_over_two_real_processes_sums_rightly_and_has_a_rate() -> None:
    result = all_reduce(2, "gloo", 1 << 20, 3, 240)

    assert result.right
    assert result.ranks == 2
    assert result.bus_bytes_per_second > 1e6


@pytest.mark.exam
def test_an_all_reduce_without_its_gpus_fails_in_words() -> None:
    with pytest.raises(AllReduceFailed, match="a process of 2 failed"):
        all_reduce(2, "nccl", 1 << 20, 3, 240)
