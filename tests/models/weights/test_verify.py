"""A start looks at a folder's seal; a wrong byte is found by the change it left, or by the scheduled reading, and then stays refused."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import FolderUnfit, NotTrusted
from models.manifest import write_manifest
from models.weights.seal import read_seal, seal_file
from models.weights.slots import LEASE_SECONDS, Slots
from models.weights.starts import Start, read_starts, record_start, typical_seconds
from models.weights.verify import admit, due, paced, verify

NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "models" / "m"
    made.mkdir(parents=True)
    (made / "model.safetensors").write_bytes(bytes(range(256)) * 8)
    (made / "config.json").write_text("{}")
    write_manifest(made)
    return made


def _counted(folder: Path, read: Callable[..., object]) -> int:
    counts: list[int] = []
    read(folder, (), NOW, counts.append)
    return sum(counts)


def _flip(file: Path) -> None:
    spoilt = bytearray(file.read_bytes())
    spoilt[100] ^= 1
    file.write_bytes(spoilt)


def test_the_first_start_hashes_every_byte_and_the_next_one_none(folder: Path) -> None:
    assert _counted(folder, admit) == 2050
    assert _counted(folder, admit) == 0
    assert _counted(folder, verify) == 2050


def test_a_wrong_byte_is_never_admitted_and_its_file_is_named(folder: Path) -> None:
    admit(folder, (), NOW)
    _flip(folder / "model.safetensors")

    for _ in range(2):
        with pytest.raises(FolderUnfit, match=r"model\.safetensors: its bytes are not those of the manifest"):
            admit(folder, (), NOW)


def test_a_wrong_byte_whose_times_were_set_back_is_seen_all_the_same(folder: Path) -> None:
    admit(folder, (), NOW)
    before = (folder / "model.safetensors").stat()
    _flip(folder / "model.safetensors")
    os.utime(folder / "model.safetensors", ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(FolderUnfit, match=r"model\.safetensors"):
        admit(folder, (), NOW)


def test_what_the_scheduled_reading_found_keeps_the_next_start_out_without_reading_again(folder: Path) -> None:
    """A disk that gives other bytes for an untouched file: the seal is put as it would be after that."""
    admit(folder, (), NOW)
    _flip(folder / "model.safetensors")
    with pytest.raises(FolderUnfit):
        verify(folder, (), NOW)
    counts: list[int] = []

    with pytest.raises(FolderUnfit, match=r"model\.safetensors.*\n.*Mend: fetch it again"):
        admit(folder, (), NOW, counts.append)

    assert counts == []
    seal = read_seal(folder)
    assert seal is not None
    assert [flaw.split(":")[0] for flaw in seal.flaws] == ["model.safetensors"]


def test_a_mended_folder_is_admitted_again(folder: Path) -> None:
    _flip(folder / "model.safetensors")
    with pytest.raises(FolderUnfit):
        admit(folder, (), NOW)

    _flip(folder / "model.safetensors")

    assert admit(folder, (), NOW).how == "hashed"


def test_another_manifest_is_not_covered_by_the_old_seal(folder: Path) -> None:
    first = admit(folder, (), NOW).weights_hash
    (folder / "config.json").write_text('{"model_type": "llama"}')
    write_manifest(folder)

    second = admit(folder, (), NOW)

    assert second.how == "hashed"
    assert second.weights_hash != first


@pytest.mark.parametrize("seal", ["", "{}", "not json"])
def test_a_seal_that_cannot_be_read_counts_for_nothing(folder: Path, seal: str) -> None:
    admit(folder, (), NOW)
    seal_file(folder).write_text(seal)

    assert admit(folder, (), NOW).how == "hashed"


def test_a_folder_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FolderUnfit, match="lane models fetch m"):
        admit(tmp_path / "m", (), NOW)


def test_what_was_hashed_longest_ago_is_due_first_and_what_never_was_before_all(folder: Path) -> None:
    for name, days in (("old", 9), ("older", 12), ("fresh", 1)):
        other = folder.with_name(name)
        other.mkdir()
        (other / "model.safetensors").write_bytes(b"x")
        write_manifest(other)
        verify(other, (), NOW - timedelta(days=days))

    assert [one.name for one in due(folder.parent, timedelta(days=7), NOW)] == ["m", "older", "old"]


@given(st.lists(st.integers(1, 10**9), max_size=30))
def test_a_paced_reading_is_never_faster_than_its_rate(counts: list[int]) -> None:
    now, seen = [0.0], []

    def wait(seconds: float) -> None:
        now[0] += seconds

    advance = paced(seen.append, 10e6, clock=lambda: now[0], pause=wait)
    for count in counts:
        advance(count)

    assert seen == counts
    assert now[0] >= sum(counts) / 10e6 - 1e-3


def test_without_anyone_named_no_signature_is_asked_for(folder: Path) -> None:
    assert admit(folder, (), NOW).signer is None


def test_where_signers_are_named_an_unsigned_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match=r"MANIFEST\.sha256\.sig is not there"):
        admit(folder, (tmp_path / "site.pub",), NOW)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 20), st.booleans()), max_size=40), st.integers(1, 3))
def test_never_more_hold_a_place_than_there_are_places(steps: list[tuple[str, float, bool]], places: int) -> None:
    slots, now = Slots(places), 0.0
    for holder, later, gives_back in steps:
        now += later
        slots, granted = (slots.give_back(holder), False) if gives_back else slots.ask(holder, now)
        holding = {one for one, until in slots.leases.items() if until > now}
        assert len(holding) <= places
        assert not granted or holder in holding


def test_a_machine_that_died_gives_its_place_back_by_saying_nothing() -> None:
    slots, _ = Slots(1).ask("a", 0.0)
    slots, granted = slots.ask("b", LEASE_SECONDS - 1)
    assert not granted

    _, granted = slots.ask("b", LEASE_SECONDS + 1)

    assert granted


def test_starts_are_remembered_cold_and_warm_apart(tmp_path: Path) -> None:
    def start(*, warm: bool, fetch: float, load: float | None) -> Start:
        return Start(
            model="m", weights_hash="ab", at=NOW, warm=warm, fetch_seconds=fetch, check_seconds=1, load_seconds=load
        )

    for one in (
        start(warm=False, fetch=100, load=20),
        start(warm=True, fetch=0, load=19),
        start(warm=True, fetch=0, load=None),
    ):
        record_start(tmp_path, one)
    with (tmp_path / ".seals" / "starts.jsonl").open("a") as file:
        file.write('{"half a line')

    starts = read_starts(tmp_path, "m")

    assert typical_seconds(starts, "cold") == 121
    assert typical_seconds(starts, "warm") == 20
    assert read_starts(tmp_path, "other") == ()


def test_an_engine_starts_from_a_folder_while_it_is_read_on_schedule(folder: Path) -> None:
    admit(folder, (), NOW)
    how: list[str] = []

    def start_meanwhile(_count: int) -> None:
        if not how:
            how.append(admit(folder, (), NOW).how)

    verify(folder, (), NOW, start_meanwhile)

    assert how == ["sealed"]


def test_what_is_fetched_anew_while_it_is_read_is_read_again(folder: Path) -> None:
    def fetch_meanwhile(_count: int) -> None:
        if not (folder / "tokenizer.json").exists():
            (folder / "tokenizer.json").write_text("{}")
            write_manifest(folder)

    found = verify(folder, (), NOW, fetch_meanwhile)

    seal = read_seal(folder)
    assert seal is not None
    assert "tokenizer.json" in seal.files
    assert seal.weights_hash == found.weights_hash
