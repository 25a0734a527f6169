"""How much power was drawn? From the CPU's energy counters (RAPL) and the GPUs' (NVML), where this machine lets them be read."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pynvml

_POWERCAP: Final = Path("/sys/class/powercap")


@dataclass(slots=True)
class Power:
    """Mean watts over a while, None where they can't be read; `because` says why not."""

    cpu_watts: float | None = None
    gpu_watts: float | None = None
    because: str | None = None


@contextmanager
def metered(powercap: Path = _POWERCAP) -> Generator[Power]:
    """Measure while the block runs; the figures are there when it has ended."""
    power, began = Power(), time.monotonic()
    cpu_before, gpu_before = cpu_joules(powercap), gpu_joules()
    yield power
    seconds = max(time.monotonic() - began, 1e-9)
    cpu_after, gpu_after = cpu_joules(powercap), gpu_joules()
    # A counter that has wrapped around meanwhile is no reading.
    if cpu_before is not None and cpu_after is not None and cpu_after >= cpu_before:
        power.cpu_watts = (cpu_after - cpu_before) / seconds
    if gpu_before is not None and gpu_after is not None:
        power.gpu_watts = (gpu_after - gpu_before) / seconds
    missing = [
        name for name, watts in (("CPU (RAPL)", power.cpu_watts), ("GPU (NVML)", power.gpu_watts)) if watts is None
    ]
    power.because = f"not readable here: {', '.join(missing)}" if missing else None


def cpu_joules(powercap: Path) -> float | None:
    """Return the energy that all processor packages have used, None where it can't be read (virtual machines, no root)."""
    counters = [zone / "energy_uj" for zone in sorted(powercap.glob("intel-rapl:*")) if zone.name.count(":") == 1]
    try:
        readings = [int(counter.read_text()) for counter in counters]
    except (OSError, ValueError):
        return None
    return sum(readings) / 1e6 if readings else None


def gpu_joules() -> float | None:
    """Return the energy that all NVIDIA GPUs have used, None where there are none or they don't say."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        used = [float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) for handle in handles]
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
    return sum(used) / 1000 if used else None
