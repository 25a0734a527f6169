import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.leaks.samples import Samples, SamplesUnusable, empty, read_samples, week_of
from serving.leaks.sealed import SampleUnreadable, seal, unseal
from tests.serving.leaks.kit import KEY, PUBLIC, a_setting, a_stratum, samples_in

TRACE = "a" * 32


def offer_all(file: Path, draws: list[float], per_stratum: int) -> None:
    drawn: Iterator[float] = iter(draws)
    with closing(Samples(file, lambda: next(drawn))) as samples:
        for number in range(len(draws)):
            samples.offer(a_stratum(), str(number).encode(), TRACE, float(number), a_setting(per_stratum=per_stratum))


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30, unique=True), st.integers(1, 8))
def test_kept_are_those_with_the_smallest_draws_whatever_came_first(draws: list[float], per_stratum: int) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "left.sqlite"
        offer_all(file, draws, per_stratum)
        (found,) = read_samples(file)
        kept = [int(unseal(sample.sealed or b"", KEY, sample.about)) for sample in found.samples]

    assert found.seen == len(draws)
    assert kept == sorted(range(len(draws)), key=lambda number: draws[number])[:per_stratum]


def test_strata_are_counted_and_kept_apart(tmp_path: Path) -> None:
    file = tmp_path / "left.sqlite"
    with closing(Samples(file, lambda: 0.5)) as samples:
        for org in ("acme", "acme", "other"):
            samples.offer(a_stratum(org=org), b"text", TRACE, 0.0, a_setting(per_stratum=1))

    assert [(one.stratum.org, one.seen, len(one.samples)) for one in read_samples(file)] == [
        ("acme", 2, 1),
        ("other", 1, 1),
    ]


def test_whoever_keeps_a_sample_cannot_read_it(tmp_path: Path) -> None:
    file = tmp_path / "left.sqlite"
    offer_all(file, [0.1], 1)
    with closing(Samples(file, lambda: 0.2)) as samples:
        samples.offer(a_stratum(), b"the canary sings", TRACE, 0.0, a_setting())
    (first, second) = samples_in(file)

    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary" not in everything
    assert unseal(second.sealed or b"", KEY, second.about) == b"the canary sings"
    with pytest.raises(SampleUnreadable):
        unseal(second.sealed or b"", X25519PrivateKey.generate(), second.about)
    with pytest.raises(SampleUnreadable):
        unseal(second.sealed or b"", KEY, first.about)


def test_the_same_text_is_never_sealed_to_the_same_bytes() -> None:
    assert seal(b"text", PUBLIC, "x") != seal(b"text", PUBLIC, "x")


def test_a_text_too_large_to_keep_is_counted_as_such(tmp_path: Path) -> None:
    file = tmp_path / "left.sqlite"
    with closing(Samples(file, lambda: 0.5)) as samples:
        samples.offer(a_stratum(), b"x" * 2000, TRACE, 0.0, a_setting(bytes_at_most=1024))

    (found,) = read_samples(file)
    assert (found.seen, found.too_large, found.samples) == (0, 1, ())


def test_content_is_forgotten_when_it_is_old_and_that_it_was_drawn_is_not(tmp_path: Path) -> None:
    file, day = tmp_path / "left.sqlite", 86_400
    with closing(Samples(file, lambda: 0.5)) as samples:
        samples.offer(a_stratum(), b"old", TRACE, 0.0, a_setting(days=1))
        samples.offer(a_stratum(org="other"), b"new", TRACE, 1.5 * day, a_setting(days=1))

    old, new = samples_in(file)
    assert (old.sealed, new.sealed is not None) == (None, True)


def test_there_are_never_more_than_so_many_and_the_oldest_go_first(tmp_path: Path) -> None:
    file = tmp_path / "left.sqlite"
    with closing(Samples(file, lambda: 0.5)) as samples:
        for number in range(10):
            samples.offer(a_stratum(org=f"org{number}"), b"x", TRACE, float(number), a_setting(samples_at_most=3))

    held = [sample.stratum.org for sample in samples_in(file) if sample.sealed is not None]
    assert held == ["org7", "org8", "org9"]


def test_purging_removes_the_counts_too_while_a_writer_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "left.sqlite"
    with closing(Samples(file, lambda: 0.5)) as samples:
        samples.offer(a_stratum(), b"x", TRACE, 0.0, a_setting())
        assert empty(file) == 1
        assert read_samples(file) == []
        samples.offer(a_stratum(), b"y", TRACE, 0.0, a_setting())

    assert [one.seen for one in read_samples(file)] == [1]


def test_a_file_of_samples_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "samples" / "left.sqlite"
    offer_all(file, [0.1], 1)

    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    file = tmp_path / "left.sqlite"
    file.write_bytes(b"x" * 4096)

    with pytest.raises(SamplesUnusable):
        Samples(file, lambda: 0.5)
    with pytest.raises(SamplesUnusable):
        read_samples(file)


def test_a_stratum_lasts_an_iso_week() -> None:
    assert week_of(1795530000.0) == "2026-W48"
    assert week_of(0.0) == "1970-W01"


def test_two_writers_of_one_file_keep_the_smallest_draws_together(tmp_path: Path) -> None:
    file = tmp_path / "stayed.sqlite"
    with (
        closing(Samples(file, iter([0.3, 0.1]).__next__)) as one,
        closing(Samples(file, iter([0.2, 0.4]).__next__)) as two,
    ):
        for samples, text in ((one, b"0.3"), (two, b"0.2"), (one, b"0.1"), (two, b"0.4")):
            samples.offer(a_stratum(), text, TRACE, 0.0, a_setting(per_stratum=2))

    assert [unseal(sample.sealed or b"", KEY, sample.about) for sample in samples_in(file)] == [b"0.1", b"0.2"]
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT seen FROM strata").fetchone() == (4,)
