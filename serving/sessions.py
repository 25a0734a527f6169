"""What does a session know of its earlier turns? Which messages they held, by hash, and how sensitive each was; never the text.

A message's hash is keyed, so that nobody can try out texts against the store. What is forgotten (too many messages, too long ago) only
raises: a prompt that the session does not recognise is as sensitive as all it ever held.
"""

import hashlib
import hmac
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import Field

from router.contract import Decision, Frozen, ImagePart, Label, Message, RouteRequest, TextPart, ToolCall
from router.decide.spans import label_to_keep
from router.labels import join
from router.lane import LaneEvent, Refusal, TextDelta, ToolCallDelta
from router.state import KnownSpan

SPANS_AT_MOST: Final = 512
"""Messages that are kept of a session. Beyond that none is recognised any more, and only the join over all of them counts."""
KEPT_SECONDS: Final = 7 * 24 * 3600.0
"""How long a session's messages are recognised after its last turn. Its join is kept for good."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS session_labels (
    org TEXT NOT NULL, session TEXT NOT NULL, label TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (org, session)
) STRICT;
CREATE TABLE IF NOT EXISTS session_turns (
    org TEXT NOT NULL, session TEXT NOT NULL, turns INTEGER NOT NULL,
    PRIMARY KEY (org, session)
) STRICT;
CREATE TABLE IF NOT EXISTS session_spans (
    org TEXT NOT NULL, session TEXT NOT NULL, span TEXT NOT NULL, label TEXT NOT NULL,
    PRIMARY KEY (org, session, span)
) STRICT, WITHOUT ROWID;
"""


class Remembered(Frozen):
    """What a session knows: the join over all it held, how many turns, and the labels of those messages that it was asked about."""

    label: Label = Label()
    turns: int = Field(default=0, ge=0)
    known: dict[str, Label] = Field(default_factory=dict)

    def recognised(self, hashes: Iterable[str]) -> tuple[KnownSpan, ...]:
        """Return which of a prompt's messages, by their hashes, the session has seen before."""
        return tuple(
            KnownSpan(message=index, label=self.known[one]) for index, one in enumerate(hashes) if one in self.known
        )


class Seen(Frozen):
    """What a turn, or its answer, adds to a session: the label of it all, and of each message. `turn`: a new one began."""

    label: Label
    spans: dict[str, Label]
    turn: bool


def seen_of(request: RouteRequest, decision: Decision, carried: Label, key: bytes) -> Seen:
    """Return what a prompt adds: what is to be remembered of each message, and the label `carried` by its answer."""
    spans: dict[str, Label] = {}
    for index, message in enumerate(request.messages):
        one = hash_of(message, key)
        spans[one] = join(spans.get(one, Label()), label_to_keep(decision.spans, index))
    return Seen(label=carried, spans=spans, turn=True)


def hash_of(message: Message, key: bytes) -> str:
    """Return what a message is recognised by: its role and content. Not a call's ID, which clients write anew; not outer whitespace."""
    digest = hmac.new(key, b"session span\n", hashlib.sha256)
    images = [part.data for part in message.content if isinstance(part, ImagePart)]
    calls = [word for call in message.tool_calls for word in (call.name, call.arguments)]
    texts = "\n".join(part.text for part in message.content if not isinstance(part, ImagePart))
    for piece in (message.role, texts.strip(), *images, *calls):
        word = piece.encode("utf-8", "surrogatepass")
        digest.update(len(word).to_bytes(8, "big") + word)
    return digest.hexdigest()


@dataclass(slots=True)
class Said:
    """An answer as it is being given: becomes the message that the client sends back with its next turn."""

    text: list[str] = field(default_factory=list)
    calls: dict[int, tuple[str, str]] = field(default_factory=dict)

    def take(self, batch: Iterable[LaneEvent]) -> None:
        """Note what was said."""
        for event in batch:
            match event:
                case TextDelta(text, _) | Refusal(text):
                    self.text.append(text)
                case ToolCallDelta():
                    name, arguments = self.calls.get(event.index, ("", ""))
                    self.calls[event.index] = (event.name or name, arguments + event.arguments)
                case _:
                    pass

    def message(self) -> Message:
        """Return the answer as a message."""
        text = "".join(self.text)
        calls = tuple(ToolCall(id="", name=name, arguments=arguments) for name, arguments in self.calls.values())
        return Message(role="assistant", content=(TextPart(text=text),) if text else (), tool_calls=calls)


class Sessions:
    """Sessions on disk. Labels rise and are kept; none is ever lowered here. `now` is in Unix seconds."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._now = now
        self._connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def recall(self, org: str, session: str, spans: Iterable[str]) -> Remembered:
        """Return what a session knows; one never seen knows nothing and is public."""
        here = (org, session)
        label = self._value("SELECT label FROM session_labels WHERE org = ? AND session = ?", here)
        turns = self._value("SELECT turns FROM session_turns WHERE org = ? AND session = ?", here)
        known = {} if self._has_overflowed(here) else {span: self._span(here, span) for span in spans}
        return Remembered(
            label=Label.model_validate_json(label) if label is not None else Label(),
            turns=int(turns or 0),
            known={span: found for span, found in known.items() if found is not None},
        )

    def keep(self, org: str, session: str, seen: Seen) -> None:
        """Join a label into the session's, and each message's into what is kept of it, in one transaction."""
        here = (org, session)
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                self._forget_old(cursor)
                risen = join(self.recall(org, session, ()).label, seen.label)
                cursor.execute(
                    "INSERT INTO session_labels VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET label = excluded.label, at = excluded.at",
                    (*here, risen.model_dump_json(), self._now()),
                )
                cursor.execute(
                    "INSERT INTO session_turns VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET turns = turns + excluded.turns",
                    (*here, int(seen.turn)),
                )
                for span, worth in () if self._has_overflowed(here) else seen.spans.items():
                    kept = join(self._span(here, span) or Label(), worth)
                    cursor.execute(
                        "INSERT INTO session_spans VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET label = excluded.label",
                        (*here, span, kept.model_dump_json()),
                    )
                cursor.execute("COMMIT")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise

    def _forget_old(self, cursor: sqlite3.Cursor) -> None:
        cursor.execute(
            "DELETE FROM session_spans WHERE (org, session) IN (SELECT org, session FROM session_labels WHERE at < ?)",
            (self._now() - KEPT_SECONDS,),
        )

    def _has_overflowed(self, here: tuple[str, str]) -> bool:
        count = self._value("SELECT count(*) FROM session_spans WHERE org = ? AND session = ?", here)
        return int(count or 0) >= SPANS_AT_MOST

    def _span(self, here: tuple[str, str], span: str) -> Label | None:
        label = self._value("SELECT label FROM session_spans WHERE org = ? AND session = ? AND span = ?", (*here, span))
        return Label.model_validate_json(label) if label is not None else None

    def _value(self, query: str, arguments: tuple[str, ...]) -> str | None:
        row = self._connection.execute(query, arguments).fetchone()
        return str(row[0]) if row else None
