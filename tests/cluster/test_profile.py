"""What was measured comes back as it was written, and nothing else passes for it."""

from pathlib import Path

import pytest

from cluster.profile import Fingerprint, Point, Profile, ProfileUnreadable, Quantiles, profiles_of, read_profile

SECONDS = Quantiles(p50=0.1, p95=0.2, p99=0.3, mean=0.12)
POINT = Point(
    concurrency=4,
    input_tokens=100,
    output_tokens=50,
    requests=20,
    seconds=10,
    output_tokens_per_second=100,
    ttft=SECONDS,
    tpot=SECONDS,
    end_to_end=SECONDS,
)


def a_profile(at: str = "2026-01-01T00:00:00Z") -> Profile:
    machine = Fingerprint(gpu="cpu", gpu_count=0, processor="any", cores=2, memory_bytes=1)
    return Profile(
        model="m", weights_hash="0" * 64, side="lane", at=at, machine=machine, dtype="float32", points=(POINT,)
    )


def keep(folder: Path, name: str, profile: Profile) -> Path:
    file = folder / "m" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(profile.model_dump_json())
    return file


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile = a_profile()

    assert read_profile(keep(tmp_path, "1.json", profile)) == profile


def test_a_models_profiles_come_newest_first(tmp_path: Path) -> None:
    old, new = a_profile(at="old"), a_profile(at="new")
    keep(tmp_path, "20260102.json", new)
    keep(tmp_path, "20260101.json", old)

    assert profiles_of(tmp_path, "m") == (new, old)
    assert profiles_of(tmp_path, "another") == ()


def test_a_file_that_is_no_profile_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(a_profile().model_dump_json().replace('"requests":20', '"requests":-1'))

    with pytest.raises(ProfileUnreadable, match=r"p\.json: points\.0\.requests: .*`lane bench run`"):
        read_profile(file)
