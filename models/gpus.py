"""Which class of GPUs does a name mean? `h100`, `H100-SXM-80GB` and what the driver says are one; `models.gpu_figures` holds the figures.

A class without published figures (`cpu`) is not here: what it can do must be measured (`lane bench run`).
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from models.errors import UnknownGpu
from models.gpu_figures import GPUS, FlopsFormat, Gpu

__all__ = ["CPU", "GPUS", "FlopsFormat", "Gpu", "GpuCount", "find_gpu", "parse_gpus"]

CPU: Final = "cpu"
"""The class of machines without a GPU: known by name (engine arguments), without figures."""

MOST_GPUS: Final = 1024


@dataclass(frozen=True, slots=True)
class GpuCount:
    """So many GPUs of one class, in one machine."""

    gpu: Gpu
    count: int


def find_gpu(name: str) -> Gpu:
    """Return the class of that name: `h100`, `H100-SXM-80GB` or what the driver says, in any case. Raises `UnknownGpu`."""
    folded = _fold(name)
    if folded in _BY_NAME:
        return _BY_NAME[folded]
    if folded == CPU:
        raise UnknownGpu("`cpu` has no published figures to reckon with: measure it with `lane bench run`")
    near = [_BY_NAME[match].name for match in get_close_matches(folded, _BY_NAME, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "see `lane models fit --help`"
    raise UnknownGpu(f"no GPU class is called {name!r}: {hint} Known: {', '.join(gpu.name for gpu in GPUS)}")


def parse_gpus(text: str) -> GpuCount:
    """Read `h100:2` (or `h100`, which is one). Raises `UnknownGpu`."""
    name, colon, count = text.partition(":")
    if colon and not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_GPUS):
        raise UnknownGpu(f"{text!r}: after the colon stands how many GPUs, 1 to {MOST_GPUS}, for example h100:2")
    return GpuCount(find_gpu(name), int(count or 1))


def _fold(name: str) -> str:
    """Reduce a name to what tells classes apart: letters and digits, without the maker and words that all of them carry."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "".join(word for word in words if word not in _SAY_NOTHING)


_SAY_NOTHING: Final = frozenset(
    {"nvidia", "tesla", "amd", "instinct", "geforce", "tensor", "core", "gpu", "generation", "edition", "hbm3", "hbm3e"}
)

_BY_NAME: Final = {_fold(name): gpu for gpu in GPUS for name in (gpu.name, *gpu.aliases)}
