"""Is this machine fit for private work? GPUs as the inventory says, driver, fabric, ECC, Xid, and an all-reduce. One failure: unfit.

What is read comes from `gpu_state` and `all_reduce`; here it is judged, beside what `cluster.doctor` judges of any machine.
"""

from collections.abc import Callable, Sequence
from typing import Final

from cluster.doctor import Check
from cluster.nodes.all_reduce import AllReduce, AllReduceFailed, Backend, all_reduce
from cluster.nodes.gpu_state import GpuReader, GpuState, Xid
from cluster.nodes.inventory import Node
from models.errors import UnknownGpu
from models.gpus import Gpu, find_gpu

OLDEST_DRIVER: Final = 570
"""CUDA 12.8's, which PyTorch's builds of these pins want. Assumed from NVIDIA's compatibility table, not tried."""
HARDWARE_XIDS: Final = {
    48: "double-bit ECC error",
    64: "a memory row could not be retired or remapped",
    74: "NVLink error",
    79: "the GPU has fallen off the bus",
    94: "contained memory error",
    95: "uncontained memory error",
    119: "the GPU's system processor does not answer",
    120: "the GPU's system processor failed",
    140: "unrecovered ECC error",
}
"""Xid errors that speak of the hardware, in NVIDIA's catalogue; others (13, 31, 43 …) are as a rule a program's own."""
SHARE_OF_LINK: Final = 0.4
"""Below this share of the published link the fabric is sick. Assumed: NCCL reaches 0.7 to 0.9 of one direction on a well one."""
_PAYLOAD_BYTES: Final = 1 << 28
_REPEATS: Final = 10
_SECONDS: Final = 120.0
_GIB: Final = 1 << 30

Measure = Callable[[int, Backend], AllReduce]


def measure(ranks: int, backend: Backend) -> AllReduce:
    """Run the all-reduce as `join` does: 256 MiB. Raises `AllReduceFailed`."""
    return all_reduce(ranks, backend, _PAYLOAD_BYTES, _REPEATS, _SECONDS)


def fitness(node: Node, reader: GpuReader, measured: Measure | None) -> tuple[Check, ...]:
    """Look at a machine that is to be `node`. `measured`: runs the all-reduce where there are several GPUs; None leaves it out."""
    gpus, xids = reader.gpus(), reader.xids()
    checks = [judge_inventory(node, gpus)]
    if gpus:
        checks += [judge_driver(gpus), judge_memory_errors(gpus), judge_xids(xids), judge_fabric(gpus)]
    if measured is not None and len(gpus) > 1 and node.gpu is not None:
        checks.append(_all_reduced(node.gpu, len(gpus), measured))
    return tuple(checks)


def unfit(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Return the checks that keep a node from private work."""
    return tuple(check for check in checks if check.verdict == "fail")


def judge_inventory(node: Node, gpus: Sequence[GpuState]) -> Check:
    """The GPUs are those that the planner reckons with: their number and class."""
    seen = ", ".join(f"{gpu.name} ({gpu.memory_bytes / _GIB:.0f} GiB)" for gpu in gpus) or "no GPU"
    wanted = f"{node.gpu_count} × {node.gpu}" if node.gpu is not None else "no GPU"
    if len(gpus) < node.gpu_count:
        mend = f"nodes.yaml says {wanted}: correct it on the head, or find out with nvidia-smi what is missing"
        return Check(name="gpus", verdict="fail", seen=seen, mend=mend)
    if node.gpu is not None and (other := [gpu.name for gpu in gpus if not _is_of(gpu.name, node.gpu)]):
        mend = f"nodes.yaml says {wanted}, and {other[0]} is none: correct it on the head"
        return Check(name="gpus", verdict="fail", seen=seen, mend=mend)
    if len(gpus) > node.gpu_count:
        return Check(name="gpus", verdict="warn", seen=seen, mend=f"nodes.yaml says {wanted}; the rest stays idle")
    return Check(name="gpus", verdict="ok", seen=seen)


def judge_driver(gpus: Sequence[GpuState]) -> Check:
    """The driver is new enough for the CUDA that the engine's build brings."""
    driver = gpus[0].driver
    major = driver.partition(".")[0]
    if major.isdigit() and int(major) >= OLDEST_DRIVER:
        return Check(name="driver", verdict="ok", seen=driver)
    mend = f"install NVIDIA's driver {OLDEST_DRIVER} or newer"
    return Check(name="driver", verdict="fail", seen=driver, mend=mend)


def judge_memory_errors(gpus: Sequence[GpuState]) -> Check:
    """No uncorrected ECC error since the driver was loaded, and no memory row that can't be remapped."""
    broken = [f"GPU {gpu.index}: a memory row can't be remapped" for gpu in gpus if gpu.rows_failed]
    broken += [f"GPU {gpu.index}: {gpu.uncorrected_errors} uncorrected" for gpu in gpus if gpu.uncorrected_errors]
    if broken:
        mend = "reset the GPU (nvidia-smi -r) or restart the machine; if it comes back, have the GPU replaced"
        return Check(name="ecc", verdict="fail", seen="; ".join(broken), mend=mend)
    if pending := [gpu for gpu in gpus if gpu.rows_pending]:
        seen = ", ".join(f"GPU {gpu.index}: a memory row waits to be remapped" for gpu in pending)
        return Check(
            name="ecc", verdict="warn", seen=seen, mend="reset the GPU (nvidia-smi -r) when the node is drained"
        )
    without = all(gpu.uncorrected_errors is None for gpu in gpus)
    return Check(name="ecc", verdict="ok", seen="these GPUs have none" if without else "no uncorrected error")


def judge_xids(xids: Sequence[Xid]) -> Check:
    """The driver has reported no fault of the hardware since this machine was started."""
    if faults := [xid for xid in xids if xid.number in HARDWARE_XIDS]:
        last = faults[-1]
        seen = f"{len(faults)} of the hardware, the last Xid {last.number} ({HARDWARE_XIDS[last.number]}) at {last.pci}"
        return Check(
            name="xid", verdict="fail", seen=seen, mend="restart the machine; if it comes back, replace the GPU"
        )
    if xids:
        return Check(name="xid", verdict="ok", seen=f"{len(xids)}, none of the hardware")
    return Check(name="xid", verdict="ok", seen="none in the kernel's log")


def judge_fabric(gpus: Sequence[GpuState]) -> Check:
    """NVLinks are up, and where there are NVSwitches, the fabric manager has done its work."""
    if waiting := [str(gpu.index) for gpu in gpus if gpu.fabric == "not ready"]:
        seen = f"GPU {', '.join(waiting)}: NVSwitch fabric not ready"
        mend = "systemctl status nvidia-fabricmanager: it must run, in the driver's own version"
        return Check(name="fabric", verdict="fail", seen=seen, mend=mend)
    # A GPU without a partner has NVLinks too, all down: that is how it is built in.
    if len(gpus) > 1 and (down := [f"GPU {gpu.index} link {gpu.links_down[0]}" for gpu in gpus if gpu.links_down]):
        if len(down) == len(gpus) and len({gpu.links_down for gpu in gpus}) == 1:
            seen = f"each GPU has the same {len(gpus[0].links_down)} links down"
            return Check(name="fabric", verdict="ok", seen=f"{seen}: so is this machine built")
        return Check(
            name="fabric", verdict="fail", seen=f"{', '.join(down)} is down", mend="nvidia-smi nvlink -s; reseat"
        )
    return Check(
        name="fabric", verdict="ok", seen="ready" if any(gpu.fabric == "ready" for gpu in gpus) else "no NVSwitch"
    )


def judge_all_reduce(result: AllReduce, gpu: Gpu) -> Check:
    """The sums are right, and the links carry a fair share of what they are built for."""
    rate = f"{result.bus_bytes_per_second / 1e9:.1f} GB/s over {result.ranks} GPUs"
    if not result.right:
        mend = "a sum was wrong: take the machine out, and run NVIDIA's dcgmi diag -r 3"
        return Check(name="all-reduce", verdict="fail", seen=f"{rate}, wrong", mend=mend)
    # `link_bytes_per_second` counts both directions; an all-reduce is held against one.
    least = SHARE_OF_LINK * gpu.link_bytes_per_second / 2
    if result.bus_bytes_per_second < least:
        mend = f"at least {least / 1e9:.0f} GB/s is expected of {gpu.title}: nvidia-smi topo -m, nvidia-smi nvlink -s"
        return Check(name="all-reduce", verdict="fail", seen=rate, mend=mend)
    return Check(name="all-reduce", verdict="ok", seen=rate)


def _all_reduced(gpu: str, ranks: int, measured: Measure) -> Check:
    try:
        return judge_all_reduce(measured(ranks, "nccl"), find_gpu(gpu))
    except AllReduceFailed as failed:
        mend = "NCCL_DEBUG=INFO lane cluster check --all-reduce says where"
        return Check(name="all-reduce", verdict="fail", seen=str(failed), mend=mend)


def _is_of(name: str, gpu_class: str) -> bool:
    """Tell whether the driver's name for a GPU is of that class; a class that the catalogue does not know is taken as it is."""
    try:
        return find_gpu(name).name == find_gpu(gpu_class).name
    except UnknownGpu:
        return gpu_class.lower() in name.lower()
