"""What is kept of a passage? Its ID, document, text and hash, whose it is and how sensitive: everything but its vectors."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from router.bundle.files import TiersFile
from router.contract import Chunk, Finding, Label
from router.decide import label_found
from router.labels import join
from serving.retrieval.documents import Piece

Scan = Callable[[str], tuple[Finding, ...]]
_JOINT: Final = "\n"


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of an index. `root` is the path that it was added from; `tenant` None: everybody's."""

    id: str
    doc: str
    root: str
    source: str
    heading: str
    text: str
    label: Label
    tenant: str | None

    @property
    def sha256(self) -> str:
        """The hash of the text, as evidence names it."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def read_as(self) -> str:
        """What is embedded and searched for terms: the headings above it say what "it" is."""
        return f"{self.heading}{_JOINT}{self.text}" if self.heading else self.text

    @property
    def meaning(self) -> str:
        """The hash of what is embedded: equal ones have equal vectors under one model."""
        return hashlib.sha256(self.read_as.encode("utf-8", "surrogatepass")).hexdigest()

    def chunk(self, index: str, score: float) -> Chunk:
        """Return it as it goes into a prompt."""
        return Chunk(
            id=self.id,
            index=index,
            doc=self.doc,
            text=self.text,
            sha256=self.sha256,
            source=self.source,
            label=self.label,
            score=score,
        )


def passages_of(
    pieces: Iterable[Piece], root: str, label: Label, tenant: str | None, scan: Scan | None, tiers: TiersFile
) -> list[Passage]:
    """Return the passages of what was loaded. The label is the one that was declared, raised by what the scan finds in each."""
    return [
        Passage(
            id=piece.id,
            doc=piece.doc,
            root=root,
            source=piece.source,
            heading=piece.heading,
            text=piece.text,
            label=label if scan is None else join(label, label_found(scan(piece.text), tiers)),
            tenant=tenant,
        )
        for piece in pieces
    ]
