"""What text does a file hold? Markdown as it is, HTML as Markdown, a PDF page by page. Read with the standard library and pypdf."""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from typing_extensions import override

from router.errors import BadRequest

_MOST_PAGES: Final = 5000
_SILENT: Final = frozenset({"script", "style", "nav", "footer", "template", "noscript", "svg"})
_BLOCKS: Final = frozenset(
    re.findall(
        r"\w+", "p div section article main header ul ol table tr blockquote pre br hr dl dt dd figure figcaption"
    )
)
_HEADINGS: Final = {f"h{depth}": "#" * depth for depth in range(1, 7)}
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FIRST_HEADING: Final = re.compile(r"^#{1,2} +(.+?)\s*#*$", re.MULTILINE)
_SPACES: Final = re.compile(r"[ \t\r\f\v]+")
_GAPS: Final = re.compile(r"\s*\n\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Page:
    """Text in Markdown's form, its document's title, and where in the file it is (empty: all of it)."""

    text: str
    title: str
    place: str = ""


def text_of_file(file: Path, content: bytes) -> list[Page]:
    """Return a file's text by its ending. Raises `BadRequest` for one that can't be read."""
    return READERS[file.suffix.lower()](file, content)


def _markdown(file: Path, content: bytes) -> list[Page]:
    text = _FRONT_MATTER.sub("", _decoded(file, content).replace("\r\n", "\n"))
    heading = _FIRST_HEADING.search(text)
    return [Page(text, heading.group(1) if heading else _title(file))]


def _plain(file: Path, content: bytes) -> list[Page]:
    return [Page(_decoded(file, content), _title(file))]


def _html(file: Path, content: bytes) -> list[Page]:
    reader = _HtmlText()
    reader.feed(_decoded(file, content))
    reader.close()
    return [Page(reader.text, reader.title or _title(file))]


def _pdf(file: Path, content: bytes) -> list[Page]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content))
        if len(reader.pages) > _MOST_PAGES:
            raise BadRequest(f"{file}: more than {_MOST_PAGES} pages; split it")
        title = str((reader.metadata and reader.metadata.title) or _title(file))
        texts = [page.extract_text() for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequest(f"{file}: not a PDF that can be read ({type(error).__name__})") from error
    return [
        Page(_not_markdown(text), title, f", page {number}")
        for number, text in enumerate(texts, start=1)
        if text.strip()
    ]


READERS: Final[Mapping[str, Callable[[Path, bytes], list[Page]]]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _plain,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file}: not UTF-8 at byte {error.start}; convert it first") from error


def _title(file: Path) -> str:
    return file.stem.replace("_", " ").replace("-", " ")


def _not_markdown(text: str) -> str:
    """Return a text in which no line is taken for a heading."""
    return "\n".join(line.lstrip("#") for line in text.splitlines())


class _HtmlText(HTMLParser):
    """The text of a page: headings and list items as Markdown writes them, nothing of what is not read (scripts, menus)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._pieces: list[str] = []
        self._silent = 0
        self._in_title = False

    @property
    def text(self) -> str:
        """All of it, a blank line between blocks."""
        return _GAPS.sub("\n\n", _SPACES.sub(" ", "".join(self._pieces))).strip()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag in _SILENT:
            self._silent += 1
        elif tag in _HEADINGS:
            self._say(f"\n\n{_HEADINGS[tag]} ")
        elif tag == "li":
            self._say("\n- ")
        elif tag in _BLOCKS:
            self._say("\n\n")
        elif tag in {"td", "th"}:
            self._say(" | ")

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._say("\n\n")

    @override
    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data.strip()
        else:
            self._say(data.replace("\n", " "))

    def _say(self, piece: str) -> None:
        if not self._silent:
            self._pieces.append(piece)
