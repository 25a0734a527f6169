"""In what state are this machine's GPUs? Read through a port over NVML, and Xid errors from the kernel's log; judged elsewhere.

Written against NVML's documentation and run without a GPU only: on a machine with one, `lane cluster check` shows what was read.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import pynvml

Fabric = Literal["none", "ready", "not ready"]
"""Of GPUs behind NVSwitches: whether the fabric manager has brought their links up. `none`: there is no such fabric."""


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU. `uncorrected_errors`: ECC errors in memory since the driver was loaded, None where the GPU has no ECC.

    `rows_failed`: a memory row could not be remapped. `rows_pending`: one will be, at the next reset. `links_down`: NVLinks that are
    there and not up.
    """

    index: int
    name: str
    uuid: str
    memory_bytes: int
    driver: str
    uncorrected_errors: int | None
    rows_failed: bool
    rows_pending: bool
    links_down: tuple[int, ...]
    fabric: Fabric


@dataclass(frozen=True, slots=True)
class Xid:
    """An error that the driver wrote to the kernel's log: its number, and the GPU's place on the PCI bus."""

    number: int
    pci: str


class GpuReader(Protocol):
    """Whatever can tell the state of a machine's GPUs."""

    def gpus(self) -> tuple[GpuState, ...]:
        """Return every GPU of this machine; none where there is no driver."""
        ...

    def xids(self) -> tuple[Xid, ...]:
        """Return the Xid errors since this machine was started."""
        ...


@dataclass(frozen=True, slots=True)
class NoGpus:
    """A machine without a driver, or one whose readings are given: the shipped fake."""

    readings: tuple[GpuState, ...] = ()
    errors: tuple[Xid, ...] = ()

    def gpus(self) -> tuple[GpuState, ...]:
        """Return what was given."""
        return self.readings

    def xids(self) -> tuple[Xid, ...]:
        """Return what was given."""
        return self.errors


class Nvml:
    """The driver's own library."""

    def gpus(self) -> tuple[GpuState, ...]:
        """Return every GPU of this machine; none where there is no driver."""
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return ()
        try:
            driver = _text(pynvml.nvmlSystemGetDriverVersion())
            return tuple(_read(index, driver) for index in range(pynvml.nvmlDeviceGetCount()))
        finally:
            pynvml.nvmlShutdown()

    def xids(self) -> tuple[Xid, ...]:
        """Return the Xid errors since this machine was started; none where the kernel's log can't be read (it takes root)."""
        return xids_in(_kernel_log())


_XID: Final = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)")
_KMSG: Final = Path("/dev/kmsg")


def xids_in(lines: Iterable[str]) -> tuple[Xid, ...]:
    """Return the Xid errors that the driver wrote into these lines of the kernel's log."""
    return tuple(Xid(int(found[2]), found[1]) for line in lines if (found := _XID.search(line)))


def _read(index: int, driver: str) -> GpuState:
    device = pynvml.nvmlDeviceGetHandleByIndex(index)
    rows = _or_none(pynvml.nvmlDeviceGetRemappedRows, device)
    errors = _or_none(
        pynvml.nvmlDeviceGetTotalEccErrors,
        device,
        pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
        pynvml.NVML_VOLATILE_ECC,
    )
    return GpuState(
        index=index,
        name=_text(pynvml.nvmlDeviceGetName(device)),
        uuid=_text(pynvml.nvmlDeviceGetUUID(device)),
        memory_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(device).total),
        driver=driver,
        uncorrected_errors=None if errors is None else int(errors),
        rows_failed=rows is not None and bool(rows[3]),
        rows_pending=rows is not None and bool(rows[2]),
        links_down=_links_down(device),
        fabric=_fabric(device),
    )


def _links_down(device: Any) -> tuple[int, ...]:
    states = [_or_none(pynvml.nvmlDeviceGetNvLinkState, device, link) for link in range(pynvml.NVML_NVLINK_MAX_LINKS)]
    return tuple(link for link, state in enumerate(states) if state == pynvml.NVML_FEATURE_DISABLED)


def _fabric(device: Any) -> Fabric:
    """`nvmlDeviceGetGpuFabricInfo` fills in a structure; a GPU without a fabric says that it is not supported."""
    found = pynvml.c_nvmlGpuFabricInfo_t()
    if _or_none(pynvml.nvmlDeviceGetGpuFabricInfo, device, pynvml.byref(found)) is None:
        return "none"
    if found.state == pynvml.NVML_GPU_FABRIC_STATE_NOT_SUPPORTED:
        return "none"
    done = found.state == pynvml.NVML_GPU_FABRIC_STATE_COMPLETED and found.status == pynvml.NVML_SUCCESS
    return "ready" if done else "not ready"


def _or_none(ask: Any, *arguments: Any) -> Any:
    """Ask the driver; None where this GPU has no such thing."""
    try:
        return ask(*arguments)
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_InvalidArgument, pynvml.NVMLError_FunctionNotFound):
        return None


def _kernel_log() -> Sequence[str]:
    """Return the kernel's log since the start, from its device, which gives one record at each read."""
    try:
        descriptor = os.open(_KMSG, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ()
    lines = []
    try:
        while True:
            try:
                lines.append(os.read(descriptor, 8192).decode(errors="replace"))
            except BrokenPipeError:
                continue  # A record was overwritten before we read it: the next read goes on after it.
            except OSError:
                return lines
    finally:
        os.close(descriptor)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
