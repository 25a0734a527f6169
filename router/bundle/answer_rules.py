"""What must an answer keep to beside its schema? `contracts/NAME.rules.yaml`; `router.validate` holds answers against it.

A place in an answer is a path as JSON Pointer writes it, with `*` for every member or item: `/items/*/text`.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from router.contract import Frozen

Place = Annotated[str, Field(pattern=r"^(/[^/]+)+$")]
Language = Literal[
    "ar", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "it", "ja", "ko", "nl", "no", "pl", "pt", "ru", "sv", "th", "tr", "zh"
]  # fmt: skip
"""The languages that can be told apart: by their script, or by their commonest words."""


class LengthRule(Frozen):
    """How long a text may be. `of`: each text at this place; left out, the whole answer (of a JSON answer, all its texts together)."""

    of: Place | None = None
    characters_at_least: int | None = Field(default=None, ge=0)
    characters_at_most: int | None = Field(default=None, ge=1)
    words_at_least: int | None = Field(default=None, ge=0)
    words_at_most: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> "LengthRule":
        bounds = (
            ("characters", self.characters_at_least, self.characters_at_most),
            ("words", self.words_at_least, self.words_at_most),
        )
        if all(least is None and most is None for _, least, most in bounds):
            raise ValueError("a length rule sets at least one bound")
        for what, least, most in bounds:
            if least is not None and most is not None and least > most:
                raise ValueError(f"no text has at least {least} and at most {most} {what}")
        return self


class LanguageRule(Frozen):
    """Which languages a text may be in. `of` as in `LengthRule`. A text too short to tell passes."""

    any_of: tuple[Language, ...] = Field(min_length=1)
    of: Place | None = None


class CitationsRule(Frozen):
    """What an answer that must cite owes to its sources. IDs that were not retrieved and false quotations are never allowed.

    `at_least`: how many passages are cited at least (of those that there are). `each_sentence`: whether every sentence that
    states something carries an ID. Of a JSON answer, `ids` is the member that lists IDs, `prose` are the members with sentences.
    """

    at_least: int = Field(default=1, ge=0)
    each_sentence: bool = False
    ids: str = "citations"
    prose: tuple[str, ...] = ("answer",)


class ContractRules(Frozen):
    """The rules of one contract.

    `strict`: whether the engine must be able to enforce the schema exactly. A schema that it can't is then refused before any
    model is asked; otherwise the engine enforces the part it can, and the rest is held against the whole answer, with repair.
    `formats`: whether `format` is asserted, or an annotation as the standard has it. `forbidden`: fields that may not be there, by
    place (`/customer/email`) or by name at any depth (`email`; case aside). `citations` speaks of answers that must cite: whether
    one must is the route's or the tier's to say.
    """

    strict: bool = True
    formats: Literal["assert", "annotate"] = "assert"
    forbidden: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    length: tuple[LengthRule, ...] = ()
    language: tuple[LanguageRule, ...] = ()
    citations: CitationsRule = CitationsRule()

    @property
    def asserts_formats(self) -> bool:
        """Whether `format` is held against an answer."""
        return self.formats == "assert"


NO_RULES: Final = ContractRules()
