"""Do the GPUs of this machine add up, and how fast? An all-reduce over all of them, as tensor parallelism does it for every token.

The same code runs over CPU processes with Gloo; on GPUs it is NCCL, and was not run on one yet. Bus bandwidth is NCCL-tests' own
measure: 2 (n-1)/n times the bytes of one all-reduce over its time, which is what a link carries whatever n is.
"""

import os
import socket
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

Backend = Literal["nccl", "gloo"]
_FLOAT_BYTES: Final = 4
_WARM_UPS: Final = 3


class AllReduceFailed(Exception):
    """The processes did not come together, or one of them died."""


@dataclass(frozen=True, slots=True)
class AllReduce:
    """`right`: every number of every sum was the expected one."""

    ranks: int
    bus_bytes_per_second: float
    right: bool


def all_reduce(ranks: int, backend: Backend, payload_bytes: int, repeats: int, within_seconds: float) -> AllReduce:
    """Run it with so many processes, a GPU each with NCCL. Raises `AllReduceFailed`."""
    import torch.multiprocessing as processes

    with tempfile.TemporaryDirectory(prefix="lane-all-reduce-") as folder:
        written = Path(folder) / "result"
        arguments = (ranks, backend, _free_port(), payload_bytes // _FLOAT_BYTES, repeats, within_seconds, str(written))
        context = processes.spawn(_rank, arguments, nprocs=ranks, join=False)
        try:
            deadline = time.monotonic() + within_seconds
            while not context.join(timeout=1.0):
                if time.monotonic() > deadline:
                    raise AllReduceFailed(f"not done within {within_seconds:g} s")
        except (processes.ProcessRaisedException, processes.ProcessExitedException) as error:
            last = str(error).strip().splitlines()[-1]
            raise AllReduceFailed(f"a process of {ranks} failed: {last}") from error
        finally:
            for process in context.processes:
                process.kill()
                process.join()
        seconds, right = written.read_text().split()
    moved = 2 * (ranks - 1) / ranks * payload_bytes
    return AllReduce(ranks, moved / float(seconds), right == "right")


def _rank(
    rank: int, ranks: int, backend: Backend, port: int, floats: int, repeats: int, seconds: float, result: str
) -> None:
    """Take part as one process; the first writes down the median time of a repeat and whether all sums were right."""
    import torch
    from torch import distributed

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    device = torch.device("cuda", rank) if backend == "nccl" else torch.device("cpu")
    if backend == "nccl":
        torch.cuda.set_device(device)
    distributed.init_process_group(backend, rank=rank, world_size=ranks, timeout=timedelta(seconds=seconds))
    try:
        times, right = [], True
        for turn in range(_WARM_UPS + repeats):
            numbers = torch.full((floats,), float(rank + turn), device=device)
            _wait(device)
            distributed.barrier()
            began = time.perf_counter()
            distributed.all_reduce(numbers)
            _wait(device)
            times.append(time.perf_counter() - began)
            expected = float(sum(one + turn for one in range(ranks)))
            right = right and bool((numbers == expected).all())
        verdicts: list[bool | None] = [None] * ranks
        distributed.all_gather_object(verdicts, right)
        if rank == 0:
            counted = sorted(times[_WARM_UPS:])
            Path(result).write_text(f"{counted[len(counted) // 2]!r} {'right' if all(verdicts) else 'wrong'}")
    finally:
        distributed.destroy_process_group()


def _wait(device: object) -> None:
    """Wait for the GPU: its work is only queued when a call returns."""
    import torch

    if isinstance(device, torch.device) and device.type == "cuda":
        torch.cuda.synchronize(device)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
