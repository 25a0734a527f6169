"""Readings agree with the machine they are taken on."""

import socket
from pathlib import Path

from cluster.machine import (
    StartFile,
    available_memory_bytes,
    cpu_flags,
    gpus,
    port_is_free,
    shared_memory_bytes,
    start_files,
)


def test_cpu_flags_are_those_of_the_first_processor(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n\nprocessor\t: 1\nflags\t\t: fpu\n")

    assert cpu_flags(cpuinfo) == {"fpu", "avx2", "avx512f"}


def test_arms_spelling_of_flags_is_read_too(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")

    assert cpu_flags(cpuinfo) == {"fp", "asimd", "bf16"}


def test_without_cpuinfo_no_flag_is_claimed(tmp_path: Path) -> None:
    assert cpu_flags(tmp_path / "none") == frozenset()


def test_a_port_that_someone_listens_on_is_not_free_and_is_once_they_leave() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert not port_is_free("127.0.0.1", port)
    assert port_is_free("127.0.0.1", port)


def test_start_files_that_run_code_are_told_from_those_that_add_paths(tmp_path: Path) -> None:
    (tmp_path / "paths.pth").write_text("/opt/lib\n# import nothing\nimported_things\n")
    (tmp_path / "runs.pth").write_text("/opt/lib\nimport os; os.environ\n")
    (tmp_path / "module.py").write_text("import os\n")

    assert start_files(tmp_path) == (StartFile("paths.pth", runs_code=False), StartFile("runs.pth", runs_code=True))


def test_memory_is_counted_in_bytes_and_missing_shared_memory_is_none(tmp_path: Path) -> None:
    assert available_memory_bytes() > 1 << 24
    assert shared_memory_bytes(tmp_path / "none") is None
    assert (shared_memory_bytes(tmp_path) or 0) > 0


def test_gpus_are_read_without_an_error_with_and_without_a_driver() -> None:
    assert all(gpu.memory_bytes > 0 and gpu.name for gpu in gpus())
