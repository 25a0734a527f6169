"""An index is whole or as it was, embeds only what is new, and shows nobody what is above their clearance or another tenant's."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.bundle import load_bundle
from router.bundle.files import TiersFile
from router.contract import LEVELS, Depth, Label, Level
from router.errors import BadRequest, RetrievalUnavailable
from router.scan import scan_text
from serving.retrieval.add import Added, Addition, add
from serving.retrieval.files import locked, names_in, read_manifest, remove, version_folder
from serving.retrieval.opened import OpenIndex
from serving.retrieval.search import Found, Reader, Search
from serving.retrieval.testing import WordEmbedder

STARTER = Path(__file__).resolve().parents[3] / "config" / "starter"
EVERYBODY = Reader(None)
WORDS = ("refund", "parcel", "window", "ticket", "card", "label", "box", "shop")


@pytest.fixture(scope="module")
def tiers() -> TiersFile:
    return load_bundle(STARTER).tiers


@pytest.fixture
def indexes(tmp_path: Path) -> Path:
    return tmp_path / "indexes"


def lines(path: Path, *passages: tuple[str, str, str]) -> Path:
    path.write_text("".join(json.dumps({"id": name, "doc": doc, "text": text}) + "\n" for name, doc, text in passages))
    return path


def put(indexes: Path, path: Path, tiers: TiersFile, embedder: WordEmbedder | None = None, **said: object) -> Added:
    addition = Addition(path, **({"label": Label()} | said))  # type: ignore[arg-type]
    return add(indexes, "help", addition, embedder or WordEmbedder(), tiers)


def ask(
    indexes: Path,
    question: str,
    reader: Reader = EVERYBODY,
    depth: Depth = "deep",
    top_k: int = 10,
) -> list[Found]:
    embedder = WordEmbedder()
    return Search(OpenIndex(indexes, "help", embedder), embedder).ask([question], reader, depth, top_k)[0]


def ids(found: list[Found]) -> list[str]:
    return [one.passage.id for one in found]


@pytest.mark.slow
def test_a_passage_of_a_jsonl_file_is_one_chunk_with_its_own_id(
    indexes: Path, tmp_path: Path, tiers: TiersFile
) -> None:
    path = lines(tmp_path / "a.jsonl", ("a-1", "a", "refund in five days"), ("b-1", "b", "a parcel is late"))

    added = put(indexes, path, tiers)

    assert (added.manifest.passages, added.manifest.documents, added.embedded) == (2, 2, 2)
    for depth in ("light", "deep"):
        assert ids(ask(indexes, "refund in days", depth=depth)) == ["a-1", "b-1"]


@pytest.mark.slow
def test_a_passage_that_the_model_could_not_read_whole_is_split(
    indexes: Path, tmp_path: Path, tiers: TiersFile
) -> None:
    path = lines(tmp_path / "a.jsonl", ("a-1", "a", "A refund takes five days. " * 120), ("b-1", "b", "short"))

    put(indexes, path, tiers)

    found = ids(ask(indexes, "refund"))
    assert "b-1" in found
    assert "a-1" not in found
    assert found[0].startswith("a-1~")


def test_a_folder_of_pages_falls_into_passages_under_their_headings(
    indexes: Path, tmp_path: Path, tiers: TiersFile
) -> None:
    (tmp_path / "docs" / "more").mkdir(parents=True)
    (tmp_path / "docs" / "refunds.md").write_text(
        "# Refunds\n\n## How long\n\nFive days.\n\n## Who\n\nEverybody may.\n"
    )
    (tmp_path / "docs" / "more" / "shipping.html").write_text(
        "<title>Shipping</title><nav>menu</nav><h1>Fees</h1><p>Four &amp; a half euros.</p><script>x()</script>"
    )
    (tmp_path / "docs" / "note.txt").write_text("A ticket is a number.")
    (tmp_path / "docs" / ".hidden.md").write_text("secret")
    (tmp_path / "docs" / "link.md").symlink_to("/etc/hostname")
    (tmp_path / "docs" / "paper.pdf").write_bytes(pdf("Parcels are lost at times."))

    put(indexes, tmp_path / "docs", tiers)

    passages = {one.id: one for one in OpenIndex(indexes, "help", WordEmbedder()).passages}
    assert set(passages) == {"refunds#1", "refunds#2", "more/shipping#1", "note#1", "paper#1"}
    assert passages["refunds#2"].text == "## Who\n\nEverybody may."
    assert passages["refunds#2"].heading == "Refunds"
    assert passages["more/shipping#1"].text == "# Fees\n\nFour & a half euros."
    assert passages["more/shipping#1"].heading == "Shipping"
    assert passages["paper#1"].source == "paper.pdf, page 1"
    assert "Parcels are lost" in passages["paper#1"].text


def pdf(text: str) -> bytes:
    """A PDF of one page, the least that is one."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, part in enumerate(parts, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj%s endobj\n" % (number, part))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    out.write(b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % start)
    return out.getvalue()


def test_only_what_is_new_is_embedded(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    path = lines(tmp_path / "a.jsonl", ("a", "a", "refund"), ("b", "b", "parcel"))
    put(indexes, path, tiers)
    again, more = WordEmbedder(), WordEmbedder()

    unchanged = put(indexes, path, tiers, again)
    lines(path, ("a", "a", "refund"), ("c", "c", "ticket"))
    changed = put(indexes, path, tiers, more)

    assert (unchanged.changed, unchanged.embedded, again.asked) == (False, 0, [])
    assert (changed.changed, changed.embedded, more.asked) == (True, 1, ["ticket"])
    assert set(ids(ask(indexes, "refund parcel ticket"))) == {"a", "c"}


def test_another_path_is_added_beside_what_is_there(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    put(indexes, lines(tmp_path / "a.jsonl", ("a", "a", "refund")), tiers)
    put(indexes, lines(tmp_path / "b.jsonl", ("b", "b", "parcel")), tiers)

    assert set(ids(ask(indexes, "refund"))) == {"a", "b"}
    with pytest.raises(BadRequest, match="the passage ID a is in the index already"):
        put(indexes, lines(tmp_path / "c.jsonl", ("a", "a", "ticket")), tiers)


def test_an_interrupted_add_leaves_the_old_index(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    path = lines(tmp_path / "a.jsonl", ("a", "a", "refund"))
    put(indexes, path, tiers)
    before = read_manifest(indexes, "help")
    lines(path, ("a", "a", "refund"), ("b", "b", "parcel"), ("c", "c", "ticket"))

    with pytest.raises(KeyboardInterrupt):
        put(indexes, path, tiers, WordEmbedder(broken_after=1))

    assert read_manifest(indexes, "help") == before
    assert ids(ask(indexes, "refund")) == ["a"]
    assert put(indexes, path, tiers).embedded == 2
    assert not list(indexes.glob(".help~*"))


def test_an_index_of_another_model_is_refused(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    path = lines(tmp_path / "a.jsonl", ("a", "a", "refund"))
    put(indexes, path, tiers)
    other = WordEmbedder(weights_hash="b" * 64)

    with pytest.raises(RetrievalUnavailable, match="was made with words aaaaaaaaaaaa, here is words bbbbbbbbbbbb"):
        OpenIndex(indexes, "help", other)
    with pytest.raises(RetrievalUnavailable, match="lane index rm help"):
        put(indexes, path, tiers, other)


def test_an_altered_index_is_refused_and_the_file_named(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    put(indexes, lines(tmp_path / "a.jsonl", ("a", "a", "refund")), tiers)
    file = version_folder(indexes, read_manifest(indexes, "help")) / "tokens.f16"
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])

    with pytest.raises(RetrievalUnavailable, match=r"tokens\.f16 is not as it was written"):
        OpenIndex(indexes, "help", WordEmbedder())


def test_two_at_once_are_refused_and_what_was_removed_is_gone(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    path = lines(tmp_path / "a.jsonl", ("a", "a", "refund"))
    put(indexes, path, tiers)

    with locked(indexes, "help"), pytest.raises(BadRequest, match="is being changed by another command"):
        put(indexes, path, tiers)
    remove(indexes, "help")

    assert names_in(indexes) == ()
    with pytest.raises(RetrievalUnavailable, match="there is no index help here"):
        ask(indexes, "refund")


@pytest.mark.parametrize("name", ["../evil", "", ".hidden", "a/b", "x" * 65])
def test_a_name_that_leads_elsewhere_is_refused(indexes: Path, tmp_path: Path, tiers: TiersFile, name: str) -> None:
    with pytest.raises(BadRequest, match="an index's name"):
        add(indexes, name, Addition(tmp_path, Label()), WordEmbedder(), tiers)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 1: not JSON"),
        ('{"id": "a"}', "line 1: a passage is"),
        ('{"id": "a b", "text": "x"}', "line 1: an ID is text without spaces"),
        ('{"id": "a]", "text": "x"}', "line 1: an ID is text without spaces"),
        ('{"id": "a", "text": " "}', "line 1: a passage without text"),
        ('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}', "the ID a is there twice"),
    ],
)
def test_a_line_that_is_no_passage_is_named(
    indexes: Path, tmp_path: Path, tiers: TiersFile, line: str, says: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line)

    with pytest.raises(BadRequest, match=says):
        put(indexes, path, tiers)


@pytest.mark.slow
def test_a_file_that_can_not_be_read_is_named(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    for name, content in (("a.pdf", b"no pdf"), ("b.md", b"\xff\xfe"), ("c.exe", b"x")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadRequest, match=name):
            put(indexes, tmp_path / name, tiers)
    with pytest.raises(BadRequest, match="no such file or folder"):
        put(indexes, tmp_path / "absent", tiers)


@pytest.mark.slow
def test_the_scan_raises_a_passages_label_and_only_its(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    path = lines(tmp_path / "a.jsonl", ("a", "a", "refund"), ("b", "b", "card 4111 1111 1111 1111"))

    put(indexes, path, tiers, scan=scan_text, label=Label(level="internal"))

    labels = {one.id: one.label for one in OpenIndex(indexes, "help", WordEmbedder()).passages}
    assert labels["a"] == Label(level="internal")
    assert labels["b"] == Label(level="restricted", categories=("payment",))
    assert ids(ask(indexes, "card", Reader(None, "internal"))) == ["a"]


def test_deep_keeps_within_a_budget_and_repeats_nothing(indexes: Path, tmp_path: Path, tiers: TiersFile) -> None:
    text = "a refund takes five days from the day on which the parcel is here"
    path = lines(tmp_path / "a.jsonl", ("a", "a", text), ("b", "b", text), ("c", "c", "parcel"))
    put(indexes, path, tiers)
    embedder = WordEmbedder()
    search = Search(OpenIndex(indexes, "help", embedder), embedder)

    assert ids(search.ask(["refund parcel"], Reader(None), "deep", 10)[0]) == ["a", "c"]
    assert ids(search.ask(["refund parcel"], Reader(None), "deep", 10, budget_tokens=3)[0]) == ["c"]
    assert search.ask([], Reader(None), "deep", 10) == []
    assert set(ids(search.ask(["???"], Reader(None), "deep", 10)[0])) == {"a", "c"}


passages = st.tuples(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=8),
    st.sampled_from(LEVELS),
    st.sampled_from([None, "acme", "o'neill"]),
)


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(passages, min_size=1, max_size=10),
    st.sampled_from(LEVELS),
    st.sampled_from([None, "acme", "o'neill"]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
)
def test_what_a_reader_may_not_see_never_comes_back_and_moves_nothing(
    tiers: TiersFile,
    tmp_path_factory: pytest.TempPathFactory,
    written: list[tuple[list[str], Level, str | None]],
    clearance: Level,
    org: str | None,
    question: list[str],
) -> None:
    whole, seen = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("seen")
    visible = 0
    for number, (words, level, tenant) in enumerate(written):
        may = tenant in {None, org} and LEVELS.index(level) <= LEVELS.index(clearance)
        visible += may
        for folder in (whole, seen) if may else (whole,):
            path = lines(folder / f"{number}.jsonl", (f"p{number}", f"d{number % 3}", " ".join(words)))
            put(folder / "indexes", path, tiers, label=Label(level=level), tenant=tenant)

    for depth in ("light", "deep"):
        found = ask(whole / "indexes", " ".join(question), Reader(org, clearance), depth)
        if not visible:
            assert found == []
            continue
        alone = ask(seen / "indexes", " ".join(question), Reader(org, clearance), depth)
        assert ids(found) == ids(alone)
        assert [one.score for one in found] == pytest.approx([one.score for one in alone], abs=1e-5)
