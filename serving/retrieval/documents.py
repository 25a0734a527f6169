"""Which documents are in this folder or file, and into which passages do they fall? Loaded and parsed by LlamaIndex.

Markdown, HTML, PDF and plain text fall into passages at headings and sentences; a line of a JSONL file is one passage with an ID of its own
already, and is split only where the model could not read it whole. LlamaIndex's own defaults would fetch a tokenizer and sentence rules;
both are handed to it here, so that nothing is fetched.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from typing_extensions import override

from router.errors import BadRequest
from serving.retrieval.formats import READERS, text_of_file

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

PASSAGE_TOKENS: Final = 220
"""Tokens of a passage that is cut from a document: a few paragraphs, and well within what the model was trained to read."""
WHOLE_TOKENS: Final = 380
"""Tokens up to which a JSONL passage stays whole: what the model reads of a text."""
_OVERLAP_TOKENS: Final = 30
MOST_BYTES: Final = 64 << 20
_ID: Final = re.compile(r"[^\s\[\](),;\"<>]{1,200}")
_NOT_IN_AN_ID: Final = re.compile(r"[\s\[\](),;\"<>]+")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n{2,}")

Count = Callable[[str], int]
"""Counts a text's tokens."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage as it was loaded. `heading` is read with it when it is ranked: the title and the headings above it."""

    id: str
    doc: str
    source: str
    text: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a path holds: its passages, and the SHA-256 of each file they came from."""

    pieces: tuple[Piece, ...]
    files: dict[str, str]


def load(path: Path, tokens_in: Count, advance: Callable[[str], None] = lambda _: None) -> Loaded:
    """Load a folder or a file. Raises `BadRequest`, naming file and line, for what can't be read or has an ID twice."""
    files = _files(path)
    pieces: list[Piece] = []
    digests: dict[str, str] = {}
    names = _document_names(path, files)
    for file in files:
        advance(file.name)
        content = _read(file)
        digests[names[file].source] = hashlib.sha256(content).hexdigest()
        if file.suffix.lower() == ".jsonl":
            pieces += _of_jsonl(content, file, tokens_in)
        else:
            pieces += _of_document(file, content, names[file], tokens_in)
    _refuse_twice(pieces)
    if not pieces:
        raise BadRequest(f"{path}: no text in it; {', '.join(sorted((*READERS, '.jsonl')))} are read")
    return Loaded(tuple(pieces), digests)


@dataclass(frozen=True, slots=True)
class _Name:
    doc: str
    source: str


def _files(path: Path) -> list[Path]:
    """Return the files to read, in the order of their paths. Links are passed over: they could lead out of what was named."""
    wanted = {*READERS, ".jsonl"}
    if path.is_file():
        if path.suffix.lower() not in wanted:
            raise BadRequest(f"{path}: not a kind that is read ({', '.join(sorted(wanted))})")
        return [path]
    if not path.is_dir():
        raise BadRequest(f"{path}: no such file or folder")
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in wanted
        and file.is_file()
        and not file.is_symlink()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


def _document_names(path: Path, files: Sequence[Path]) -> dict[Path, _Name]:
    """Return each file's document ID: its path without the ending, with it where two would share one."""
    root = path if path.is_dir() else path.parent
    relative = {file: file.relative_to(root).as_posix() for file in files}
    short = {file: _as_id(name.removesuffix(file.suffix)) for file, name in relative.items()}
    taken = list(short.values())
    return {
        file: _Name(short[file] if taken.count(short[file]) == 1 else _as_id(relative[file]), relative[file])
        for file in files
    }


def _as_id(name: str) -> str:
    return _NOT_IN_AN_ID.sub("-", name).strip("-")[:160] or "document"


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise BadRequest(f"{file}: larger than {MOST_BYTES >> 20} MiB; split it")
        return file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file}: {error.strerror}") from error


def _of_jsonl(content: bytes, file: Path, tokens_in: Count) -> Iterator[Piece]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        piece = _of_line(line, f"{file}, line {number}", file.name)
        if tokens_in(piece.text) <= WHOLE_TOKENS:
            yield piece
            continue
        for part, text in enumerate(_split(piece.text, WHOLE_TOKENS, tokens_in), start=1):
            yield Piece(f"{piece.id}~{part}", piece.doc, piece.source, text)


def _of_line(line: bytes, where: str, source: str) -> Piece:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{where}: not JSON: {error}") from error
    match fields:
        case {"id": str() as passage, "text": str() as text}:
            doc = fields.get("doc", passage)
        case _:
            raise BadRequest(f'{where}: a passage is {{"id": TEXT, "doc": TEXT, "text": TEXT}}')
    if not isinstance(doc, str) or not _ID.fullmatch(passage):
        raise BadRequest(f"{where}: an ID is text without spaces, brackets, commas and quotation marks")
    if not text.strip():
        raise BadRequest(f"{where}: a passage without text")
    return Piece(passage, doc, source, text)


def _of_document(file: Path, content: bytes, name: _Name, tokens_in: Count) -> Iterator[Piece]:
    from llama_index.core import Document
    from llama_index.core.node_parser import MarkdownNodeParser

    pages = text_of_file(file, content)
    documents = [
        Document(text=page.text, id_=f"{name.doc}-{number}", metadata={"title": page.title, "place": page.place})
        for number, page in enumerate(pages)
    ]
    sections = MarkdownNodeParser.from_defaults(include_prev_next_rel=False).get_nodes_from_documents(documents)
    number = 0
    for section in sections:
        heading = _heading(section)
        for text in _split(section.get_content(), PASSAGE_TOKENS, tokens_in):
            if not _says_something(text):
                continue
            number += 1
            place = section.metadata["place"]
            yield Piece(f"{name.doc}#{number}", name.doc, f"{name.source}{place}", text, heading)


def _heading(section: "BaseNode") -> str:
    """Return the document's title and the headings above a section, once each. The section's own heading is in its text."""
    path = str(section.metadata.get("header_path", "")).strip("/").split("/")
    return " - ".join(dict.fromkeys(part.strip() for part in (section.metadata["title"], *path) if part.strip()))


def _says_something(text: str) -> bool:
    """Whether there is more than headings: a title alone answers nothing."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _split(text: str, most_tokens: int, tokens_in: Count) -> list[str]:
    """Split a text at paragraphs and sentences into parts of so many tokens, with some overlap."""
    if tokens_in(text) <= most_tokens:
        return [text.strip()]
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(
        chunk_size=most_tokens,
        chunk_overlap=_OVERLAP_TOKENS,
        tokenizer=lambda part: _Counted(tokens_in(part)),
        chunking_tokenizer_fn=_sentences,
        paragraph_separator="\n\n",
        include_metadata=False,
    )
    return [part.strip() for part in splitter.split_text(text) if part.strip()]


def _sentences(text: str) -> list[str]:
    """Split at sentences, the space between them kept: the parts joined are the text."""
    ends = [found.end() for found in _SENTENCE.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True) if start < end]


class _Counted(list[Any]):
    """What LlamaIndex asks of a tokenizer's answer: its length."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self._tokens = tokens

    @override
    def __len__(self) -> int:
        return self._tokens


def _refuse_twice(pieces: Sequence[Piece]) -> None:
    seen: dict[str, str] = {}
    for piece in pieces:
        if piece.id in seen:
            raise BadRequest(f"the ID {piece.id} is there twice: in {seen[piece.id]} and in {piece.source}")
        seen[piece.id] = piece.source
