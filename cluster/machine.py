"""What is there: this machine's processor, memory, GPUs, ports and start-up files, read and not judged."""

import platform
import shutil
import socket
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import psutil
import pynvml


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its driver names it; memory in bytes."""

    name: str
    memory_bytes: int
    driver: str


@dataclass(frozen=True, slots=True)
class StartFile:
    """A `.pth` file of site-packages: read at every start of Python; lines that begin with `import` are run."""

    name: str
    runs_code: bool


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return the instruction sets of the first processor, as Linux spells them; none where they can't be read."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(flags.split())


def processor() -> str:
    """Return the architecture, `x86_64` say."""
    return platform.machine()


def gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs; none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(_text(pynvml.nvmlDeviceGetName(handle)), int(pynvml.nvmlDeviceGetMemoryInfo(handle).total), driver)
            for handle in handles
        )
    finally:
        pynvml.nvmlShutdown()


def available_memory_bytes() -> int:
    """Return the memory that new processes can have without swapping."""
    return int(psutil.virtual_memory().available)


def shared_memory_bytes(folder: Path = Path("/dev/shm")) -> int | None:  # noqa: S108 -- measured, nothing is written there
    """Return the free bytes of shared memory, None where there is none."""
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def start_files(site_packages: Path | None = None) -> tuple[StartFile, ...]:
    """Return the `.pth` files of a site-packages folder (None: this environment's)."""
    folder = site_packages or Path(sysconfig.get_paths()["purelib"])
    return tuple(
        StartFile(
            path.name, any(line.startswith(("import ", "import\t")) for line in path.read_text("utf-8").splitlines())
        )
        for path in sorted(folder.glob("*.pth"))
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
