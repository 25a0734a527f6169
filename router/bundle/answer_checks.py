"""What must an answer not say? `tiers.yaml`, its `checks`: each is one thing to look for in every answer, and what follows if it is there.

A check is compiled once, when the bundle loads; `router.checks` holds answers against it.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import re2
from pydantic import Field, model_validator

from router.contract import Frozen, Name
from router.rules import Rule, RuleError, compile_rule

Then = Literal["next_rung", "person", "refuse"]
"""What follows an answer that may not go out: the next rung is tried, a person looks at it, or the caller is refused."""
THEN: Final[tuple[Then, ...]] = ("next_rung", "person", "refuse")
LooksFor = Literal["data", "system_prompt", "words"]
CHECK_NAMES: Final = frozenset(
    {
        *("answer", "level", "categories", "jurisdictions", "intent", "domain", "regulated", "state_changing"),
        *("risk_tier", "route", "org"),
    }
)
"""What a check's `when` can ask: of the decision, and `answer`, the answer's words as `words` has the request's."""
_EDGE: Final = r"[^\p{L}\p{N}]"
_OPTIONS = re2.Options()
_OPTIONS.max_mem = 32 << 20
_OPTIONS.log_errors = False


class CheckSpec(Frozen):
    """One thing that no answer may say.

    `data`: secrets, and data about others that the caller is not cleared for (`categories`: only these; none listed: all). `system_prompt`:
    the instructions, from a `share` of their words on, or from so many of them (`at_least_words`). `words`: one of these phrases (whole
    words, any case; `*` at an end stands for the rest of a word) or the RE2 `pattern`, where none of `unless` stands in the whole
    answer; a phrase that a retrieved passage or a tool's result has is no breach if `sources_may_say` it. `when` is CEL over the decision
    and `answer`: the check holds only there; by itself it is the check. `says` is what the caller reads in place of the answer.
    """

    id: Name
    because: str
    looks_for: LooksFor = "words"
    words: tuple[str, ...] = ()
    pattern: str | None = None
    unless: tuple[str, ...] = ()
    sources_may_say: bool = False
    when: str | None = None
    categories: tuple[str, ...] = ()
    share: float = Field(default=0.5, gt=0, le=1)
    at_least_words: int = Field(default=40, ge=8)
    then: Then = "refuse"
    says: str = "The answer was withheld: the rules of this service do not allow what it said."

    @model_validator(mode="after")
    def _looks_for_something(self) -> "CheckSpec":
        if self.looks_for == "words" and not (self.words or self.pattern or self.when):
            raise ValueError("a check looks for `words`, a `pattern`, or says `when` an answer may not go out")
        if self.looks_for != "words" and (self.words or self.pattern or self.unless or self.sources_may_say):
            raise ValueError(
                f"a check that looks for `{self.looks_for}` takes no `words`, `pattern`, `unless` or `sources_may_say`"
            )
        if any(not phrase.strip(" *") for phrase in (*self.words, *self.unless)):
            raise ValueError("an empty phrase stands in every answer")
        return self


@dataclass(frozen=True, slots=True)
class CompiledCheck:
    """A check made ready. `finds` and `heals` are RE2 patterns over normalised text, None where there is nothing to look for."""

    spec: CheckSpec
    when: Rule | None
    finds: Any
    heals: Any

    @property
    def needs_the_whole(self) -> bool:
        """Whether it can be told only once the answer has ended."""
        return self.heals is not None or (self.when is not None and "answer" in self.when.variables)


def compile_check(spec: CheckSpec) -> CompiledCheck:
    """Compile a check. Raises `RuleError` for a condition or a pattern that can't be read."""
    parts = [_phrases(spec.words)] if spec.words else []
    if spec.pattern is not None:
        parts.append(f"(?:{spec.pattern})")
    return CompiledCheck(
        spec,
        None if spec.when is None else compile_rule(spec.when),
        _compiled("|".join(parts)) if parts else None,
        _compiled(_phrases(spec.unless)) if spec.unless else None,
    )


def _phrases(phrases: tuple[str, ...]) -> str:
    """A pattern for any of these phrases, as whole words, whatever space is between them."""
    return f"(?:^|{_EDGE})(?:{'|'.join(_phrase(phrase) for phrase in phrases)})(?:{_EDGE}|$)"


def _phrase(phrase: str) -> str:
    return r"\s+".join(r"[\p{L}\p{N}]*".join(map(re.escape, word.split("*"))) for word in phrase.split())


def _compiled(source: str) -> Any:
    try:
        return re2.compile(f"(?is){source}", _OPTIONS)
    except re2.error as error:
        raise RuleError(f"the pattern can't be read: {error}") from error
