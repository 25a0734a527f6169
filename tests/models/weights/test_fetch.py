"""A folder comes whole or not at all, whatever the source does meanwhile."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import FolderUnfit, NoRoom, SourceRefused, SourceUnreachable
from models.manifest import MANIFEST, verify_folder, weights_hash, write_manifest
from models.weights import room
from models.weights.download import TRIES, download
from models.weights.fetch import Fetched, Plan, carry_out, plan_fetch
from models.weights.local import FolderSource
from models.weights.source import Listing, RemoteFile
from models.weights.verify import admit

NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)
WEIGHTS = bytes(range(256)) * 64
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS}


class BreakingSource:
    """A source that breaks off after so many bytes of each answer, in turn, and then gives all; it notes what it was asked for."""

    def __init__(self, files: dict[str, bytes], breaks: list[int], listed: dict[str, str] | None = None) -> None:
        self.files, self.breaks, self.listed = files, breaks, listed or {}
        self.asked: list[tuple[str, int]] = []

    def listing(self) -> Listing:
        return Listing("test://m@1", tuple(RemoteFile(n, len(b), self.listed.get(n)) for n, b in self.files.items()))

    def read(self, file: RemoteFile, offset_bytes: int) -> Iterator[bytes]:
        self.asked.append((file.name, offset_bytes))
        rest = self.files[file.name][offset_bytes:]
        if self.breaks:
            yield rest[: self.breaks.pop(0)]
            raise SourceUnreachable("cut")
        yield rest


def _at_source(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True)
    for name, content in (
        {"model.safetensors": WEIGHTS, "config.json": b"{}", "tokenizer.json": b"{}"} | files
    ).items():
        (folder / name).write_bytes(content)
    return folder


def _fetch(place: Path, folder: Path, trusted: tuple[Path, ...] = ()) -> Fetched:
    plan = plan_fetch(FolderSource(place, folder.name), folder, trusted)
    return carry_out(plan, now=NOW, advance=lambda _name, _count: None, trusted=trusted)


@given(breaks=st.lists(st.integers(1, 5000), max_size=8))
@settings(max_examples=30)
def test_however_often_it_is_cut_the_file_is_whole_and_no_byte_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, breaks: list[int]
) -> None:
    into = tmp_path_factory.mktemp("into")
    source = BreakingSource({"model.safetensors": WEIGHTS}, list(breaks))
    seen: list[int] = []

    digest = download(
        source, source.listing().files[0], into, lambda _, count: seen.append(count), pause=lambda _: None
    )

    assert (into / "model.safetensors").read_bytes() == WEIGHTS
    assert digest == hashlib.sha256(WEIGHTS).hexdigest()
    assert sum(seen) == len(WEIGHTS)
    offsets = [offset for _, offset in source.asked]
    assert offsets == sorted(offsets)


def test_a_source_that_gives_nothing_is_asked_a_bounded_number_of_times(tmp_path: Path) -> None:
    source = BreakingSource({"model.safetensors": WEIGHTS}, [0] * 99)
    pauses: list[float] = []

    with pytest.raises(SourceUnreachable):
        download(source, source.listing().files[0], tmp_path, lambda _, __: None, pauses.append)

    assert len(source.asked) == TRIES
    assert pauses == [2.0, 4.0, 8.0, 16.0]


def test_bytes_that_are_not_what_the_source_lists_are_fetched_once_more_and_then_refused(tmp_path: Path) -> None:
    source = BreakingSource({"model.safetensors": WEIGHTS}, [], {"model.safetensors": "0" * 64})

    with pytest.raises(FolderUnfit, match=r"model\.safetensors: its SHA-256 is .* fetched twice"):
        download(source, source.listing().files[0], tmp_path, lambda _, __: None)

    assert len(source.asked) == 2
    assert not list(tmp_path.iterdir())


def test_a_part_that_was_spoilt_on_disk_is_thrown_away_and_fetched_anew(tmp_path: Path) -> None:
    source = BreakingSource(
        {"model.safetensors": WEIGHTS}, [], {"model.safetensors": hashlib.sha256(WEIGHTS).hexdigest()}
    )
    (tmp_path / "model.safetensors.part").write_bytes(b"x" * 1000)

    download(source, source.listing().files[0], tmp_path, lambda _, __: None)

    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
    assert [offset for _, offset in source.asked] == [1000, 0]


def test_a_fetched_folder_is_verified_read_only_and_admitted_by_its_seal(tmp_path: Path) -> None:
    _at_source(tmp_path / "mirror" / "m", **{"run.py": b"print()"})

    fetched = _fetch(tmp_path / "mirror", tmp_path / "models" / "m")

    assert verify_folder(fetched.folder) == fetched.weights_hash
    assert {path.name for path in fetched.folder.iterdir()} == {
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        MANIFEST,
    }
    assert all(path.stat().st_mode & 0o222 == 0 for path in (fetched.folder, *fetched.folder.iterdir()))
    assert admit(fetched.folder, (), NOW).how == "sealed"
    assert [path.name for path in (tmp_path / "models").iterdir() if path.name != ".seals"] == ["m"]


def test_a_second_run_takes_up_what_an_interrupted_one_left(tmp_path: Path) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}
    first = BreakingSource(files, [])
    plan = plan_fetch(first, tmp_path / "m", ())
    download(first, first.listing().files[0], plan.scratch, lambda _, __: None)
    (plan.scratch / "model.safetensors.part").write_bytes(WEIGHTS[:5000])
    second = BreakingSource(files, [])

    fetched = carry_out(plan_fetch(second, tmp_path / "m", ()), now=NOW, advance=lambda _, __: None)

    assert sorted(second.asked) == [("model.safetensors", 5000), ("tokenizer.json", 0)]
    assert verify_folder(fetched.folder) == fetched.weights_hash


def test_auto_map_refuses_the_whole_folder_and_leaves_none(tmp_path: Path) -> None:
    _at_source(tmp_path / "mirror", **{"config.json": json.dumps({"auto_map": {"AutoModel": "evil.Model"}}).encode()})

    with pytest.raises(FolderUnfit, match=r"config\.json: `auto_map`"):
        _fetch(tmp_path / "mirror", tmp_path / "models" / "m")

    assert not (tmp_path / "models" / "m").exists()


def test_a_source_without_safetensors_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    mirror = _at_source(tmp_path / "mirror", **{"pytorch_model.bin": b"x"})
    (mirror / "model.safetensors").unlink()

    with pytest.raises(FolderUnfit, match=r"pytorch_model\.bin: weights in \.bin format"):
        _fetch(mirror, tmp_path / "m")


def test_a_manifest_at_the_source_is_what_every_byte_is_held_against(tmp_path: Path) -> None:
    mirror = _at_source(tmp_path / "mirror")
    digest = write_manifest(mirror)
    assert _fetch(mirror, tmp_path / "a").weights_hash == digest

    spoilt = bytearray(WEIGHTS)
    spoilt[77] ^= 1
    (mirror / "model.safetensors").write_bytes(spoilt)

    with pytest.raises(FolderUnfit, match=r"model\.safetensors: its SHA-256"):
        _fetch(mirror, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_manifest_that_lists_code_is_refused(tmp_path: Path) -> None:
    mirror = _at_source(tmp_path / "mirror")
    write_manifest(mirror)
    (mirror / "x.py").write_text("print()")
    with (mirror / MANIFEST).open("a") as manifest:
        manifest.write(f"{'0' * 64}  x.py\n")

    with pytest.raises(FolderUnfit, match=r"x\.py: code"):
        _fetch(mirror, tmp_path / "m")


def test_a_newer_revision_takes_the_older_ones_place(tmp_path: Path) -> None:
    mirror = _at_source(tmp_path / "mirror")
    before = _fetch(mirror, tmp_path / "m").weights_hash
    (mirror / "config.json").write_text('{"model_type": "llama"}')

    after = _fetch(mirror, tmp_path / "m")

    assert after.weights_hash != before
    assert weights_hash(tmp_path / "m") == after.weights_hash
    assert admit(tmp_path / "m", (), NOW).how == "sealed"


def test_what_another_has_brought_meanwhile_is_not_fetched_again(tmp_path: Path) -> None:
    source = BreakingSource({"config.json": b"{}", "model.safetensors": WEIGHTS}, [])
    first, second = (plan_fetch(source, tmp_path / "m", ()) for _ in range(2))
    carry_out(first, now=NOW, advance=lambda _, __: None)
    source.asked.clear()

    fetched = carry_out(second, now=NOW, advance=lambda _, __: None)

    assert source.asked == []
    assert fetched.weights_hash == weights_hash(tmp_path / "m")


def test_planning_while_another_fetches_takes_nothing_from_it(tmp_path: Path) -> None:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    manifest = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
    source = BreakingSource(FILES | {MANIFEST: manifest}, [])
    first = plan_fetch(source, tmp_path / "m", ())
    with ThreadPoolExecutor(1) as beside:
        planning: list[Future[Plan]] = []

        def plan_again(name: str, _count: int) -> None:
            if name == "model.safetensors" and not planning:
                planning.append(beside.submit(plan_fetch, source, tmp_path / "m", ()))
                time.sleep(0.1)  # Long enough for whoever does not wait to take the manifest away.

        fetched = carry_out(first, now=NOW, advance=plan_again)
        second = planning[0].result(10)

    assert verify_folder(tmp_path / "m") == fetched.weights_hash
    assert carry_out(second, now=NOW, advance=lambda _, __: None).weights_hash == fetched.weights_hash
    assert not list(tmp_path.glob(".fetch-*"))


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="nowhere"):
        _fetch(tmp_path / "nowhere", tmp_path / "m")


def test_the_disk_is_asked_before_anything_large_is_fetched(tmp_path: Path) -> None:
    source = BreakingSource({"config.json": b"{}", "model.safetensors": b""}, [])
    listing = Listing("test://huge", (RemoteFile("model.safetensors", 1 << 60), RemoteFile("config.json", 2)))
    source.listing = lambda: listing  # type: ignore[method-assign]

    with pytest.raises(NoRoom, match="are needed"):
        carry_out(plan_fetch(source, tmp_path / "m", ()), now=NOW, advance=lambda _, __: None)

    assert source.asked == []


_CACHED = st.lists(
    st.builds(
        room.Cached, name=st.sampled_from("abcdefgh"), size_bytes=st.integers(0, 100 << 30), used_at=st.floats(0, 9)
    ),
    unique_by=lambda one: one.name,
)


@given(_CACHED, st.sets(st.sampled_from("abcdefgh")), st.integers(0, 200 << 30), st.integers(0, 200 << 30))
def test_eviction_makes_enough_room_and_no_more_and_never_takes_what_the_bundle_names(
    cached: list[room.Cached], keep: set[str], need: int, free: int
) -> None:
    size = {one.name: one.size_bytes for one in cached}
    used = {one.name: one.used_at for one in cached}
    try:
        going = room.to_evict(cached, keep, need, free)
    except NoRoom:
        assert free + sum(size[name] for name in size.keys() - keep) < need + room.RESERVE_BYTES
        return

    assert not keep & set(going)
    assert free + sum(size[name] for name in going) >= need + room.RESERVE_BYTES
    if going:
        assert free + sum(size[name] for name in going[:-1]) < need + room.RESERVE_BYTES
        assert all(used[name] >= used[going[-1]] for name in size.keys() - keep - set(going))
