"""A judge's key, a setting, and samples in a folder: everything real."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from serving.leaks.samples import Counted, Sample, Stratum
from serving.leaks.setting import LeakSample
from serving.leaks.verdicts import Verdict

KEY = X25519PrivateKey.from_private_bytes(b"j" * 32)
PUBLIC = KEY.public_key().public_bytes_raw().hex()
WEEK = "2026-W48"


def a_setting(**changes: int) -> LeakSample:
    return LeakSample(public_key=PUBLIC, **changes)


def a_stratum(population: str = "left", **changes: object) -> Stratum:
    fields = {"population": population, "week": WEEK, "org": "acme", "lane": "premium", "risk_tier": "low"}
    return Stratum.model_validate(fields | changes)


def counted(stratum: Stratum, seen: int, *samples: str, too_large: int = 0) -> Counted:
    kept = tuple(Sample(name, stratum, 0.0, "0" * 32, b"sealed") for name in samples)
    return Counted(stratum, seen, too_large, kept)


def a_verdict(sample: str, stays: bool | None, *categories: str, **changes: object) -> Verdict:
    fields = {"sample": sample, "judge": "ann", "kind": "person", "stays": stays, "categories": categories, "at": 1.0}
    return Verdict.model_validate(fields | changes)


def samples_in(file: Path) -> list[Sample]:
    from serving.leaks.samples import read_samples

    return [sample for one in read_samples(file) for sample in one.samples]
