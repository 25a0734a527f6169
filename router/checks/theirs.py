"""Whose is what this answer tells? The caller's, if it stood in what they wrote or in a passage they may see; else somebody else's.

A value is the same however it is spaced, dashed or cased. What no source of the answer holds came from the model: invented or learnt,
it is nobody's to hand out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from router.contract import LEVELS, Finding, Label, Level, Message, RouteRequest
from router.normalise import normalise

_COMPACT_FROM: Final = 6
"""From this many letters and digits on a value is found wherever it stands; a shorter one only as words of its own."""
_ISSUED: Final = 0.9
"""From this score on a secret looks as its issuer makes them. What merely stands where a password would, in a code example say, counts as
one only where a source holds it."""
_TELLING: Final = "narrative"
"""The detector of facts that somebody tells of a person. An answer to such a telling retells it in other words."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller knows already, and what they must not learn: each as `_compact` and as `_spaced` text, by level for the latter.

    `said` is what was said in the conversation, without the application's instructions: a secret among those is not for its users.
    """

    own: tuple[str, str]
    said: tuple[str, str]
    hidden: tuple[tuple[Level, str, str], ...]
    told: frozenset[str]
    clearance: Level

    def may_learn(self, finding: Finding, value: str, level: Level) -> bool:
        """Tell whether a finding of this level, with this value, may stand in the answer."""
        if finding.category == "credentials":
            return _holds(*self.said, value) or not (finding.score >= _ISSUED or self._is_kept(value))
        if _holds(*self.own, value) or (finding.detector == _TELLING and finding.category in self.told):
            return True
        levels = [level, *(above for above, compact, spaced in self.hidden if _holds(compact, spaced, value))]
        return all(LEVELS.index(one) <= LEVELS.index(self.clearance) for one in levels)

    def _is_kept(self, value: str) -> bool:
        """Whether a source of the answer holds this value that the caller is not to read."""
        return _holds(*self.own, value) or any(_holds(compact, spaced, value) for _, compact, spaced in self.hidden)


def known_to(request: RouteRequest, label: Label, clearance: Level) -> Known:
    """Return what the caller of a request knows: their own words, and what passages and tools brought that they may see."""
    own = [message for message in request.messages if _is_theirs(message, clearance)]
    hidden = [message for message in request.messages if not _is_theirs(message, clearance)]
    said = [message for message in own if message.role != "system" or message.origin != "caller"]
    return Known(
        own=_both(own),
        said=_both(said),
        hidden=tuple((one.label.level, _compact(one.text), _spaced(one.text)) for one in hidden),
        told=frozenset(label.categories),
        clearance=clearance,
    )


def _both(messages: Iterable[Message]) -> tuple[str, str]:
    text = "\n".join(message.text for message in messages)
    return _compact(text), _spaced(text)


def _is_theirs(message: Message, clearance: Level) -> bool:
    """What the caller wrote is the caller's, whatever its level; of passages and tools' results, what they are cleared for."""
    if message.origin == "caller":
        return True
    return LEVELS.index(message.label.level) <= LEVELS.index(clearance)


def _holds(compact: str, spaced: str, value: str) -> bool:
    short = _compact(value)
    return bool(short) and (short in compact if len(short) >= _COMPACT_FROM else _spaced(value) in spaced)


def _compact(text: str) -> str:
    return "".join(filter(str.isalnum, normalise(text).text.casefold()))


def _spaced(text: str) -> str:
    return f" {' '.join(_words(normalise(text).text.casefold()))} "


def _words(text: str) -> Iterable[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text).split()
