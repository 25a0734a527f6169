"""May what has come of this answer so far go out? Told while it comes, and never read twice from the start.

What comes is looked at a stride at a time, each time together with the last of what was looked at before: a value that straddles two
strides is seen, and the work stays linear. What touches the end of a look may be half of something else: it waits for the next.
"""

import re
from typing import Final

from router.bundle import Bundle
from router.checks.answer import check_whole
from router.checks.leak import words_in
from router.checks.looks import looks_of
from router.checks.result import Amended, CheckResult, Passed, Withheld
from router.contract import Decision, RouteRequest

STRIDE: Final = 128
"""Characters that gather before they are looked at."""
REACH: Final = 512
"""Characters before them that are looked at again."""
UNSETTLED: Final = 64
"""Characters at the end of a look in which nothing is settled yet: half of one value can look like another."""
_LAST_WORD: Final = re.compile(r"[^\W_]{1,64}\Z")
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_SPACE: Final = re.compile(r"\s")


class AnswerWatch:
    """Watches one streamed answer. `feed` it what comes, in order; `finish` it once at the end.

    Both return `Withheld` as soon as something speaks against the answer, and go on saying so. `cleared` is how many characters, from the
    start, have been looked at and may go out under a stream rule that holds back (`window`). What only the whole can show (a phrase that
    another one heals, a JSON text's strings, the disclaimer) is for `finish`, which gives the same result as `check_answer`.
    """

    def __init__(
        self,
        decision: Decision,
        request: RouteRequest,
        bundle: Bundle,
        *,
        templates: tuple[str, ...] = (),
        stride: int = STRIDE,
    ) -> None:
        self._decision = decision
        self._looks = looks_of(decision, request, bundle, templates)
        self._recital = self._looks.recital()
        self._stride = stride
        self._pieces: list[str] = []
        self._tail = ""
        self._new = 0
        self._length = 0
        self._word = ""
        self._verdict: Withheld | None = None
        self.cleared = 0

    def feed(self, text: str) -> Withheld | Passed:
        """Take the next piece. `Passed` means that nothing is known against the answer so far."""
        if self._verdict is not None:
            return self._verdict
        self._pieces.append(text)
        self._tail += text
        self._new += len(text)
        self._length += len(text)
        if self._new >= self._stride:
            self._look()
        return self._verdict or Passed()

    def finish(self) -> CheckResult:
        """Tell of the whole answer, once nothing more comes."""
        if self._verdict is not None:
            return self._verdict
        result = check_whole("".join(self._pieces), self._decision, self._looks)
        match result:
            case Withheld():
                self._verdict = result
            case Passed() | Amended():
                self.cleared = self._length
        return result

    def _look(self) -> None:
        """Look at what is new and what was just before it, from a word's beginning on."""
        fresh = self._tail[len(self._tail) - self._new :]
        self._tail = _from_a_word_on(self._tail, self._new + REACH)
        self._new = 0
        text = _unescaped(self._tail)
        settled = max(0, len(text) - UNSETTLED)
        unsettled = settled
        for breach in self._looks.at(text, whole=False):
            if breach.start < settled:
                self._verdict = breach.verdict
                return
            unsettled = min(unsettled, breach.start)
        self._verdict = self._heard(fresh)
        if self._verdict is None:
            # Where escapes were undone, places in the one text are none in the other: what this look read waits for the next.
            looked_at = unsettled if len(text) == len(self._tail) else 0
            self.cleared = max(self.cleared, self._length - len(self._tail) + looked_at)

    def _heard(self, fresh: str) -> Withheld | None:
        """Count what is recited. The last word may not have ended yet: it waits."""
        heard = self._word + fresh
        found = _LAST_WORD.search(heard)
        at = found.start() if found is not None else len(heard)
        self._word = heard[at:]
        self._recital.take(words_in(heard[:at]))
        return self._looks.recited(self._recital)


def _from_a_word_on(text: str, length: int) -> str:
    """The last so many characters of a text, without the rest of a word that began before."""
    if len(text) <= length:
        return text
    cut = text[-length:]
    space = _SPACE.search(cut, 0, REACH)
    return cut[space.end() :] if space is not None else cut


def _unescaped(text: str) -> str:
    """JSON's way to spell a letter by its number is undone: the phrase is the same to whoever reads it."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "\\u" in text else text
