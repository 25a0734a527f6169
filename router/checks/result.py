"""How does a check of an answer end? With a value: it passed, it goes out changed, or it does not go out."""

from dataclasses import dataclass

from router.bundle.answer_checks import CheckSpec, Then


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing speaks against the answer as it is."""


@dataclass(frozen=True, slots=True)
class Amended:
    """The answer goes out as `text`; `because` says what was added."""

    text: str
    because: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """The answer may not go out.

    `because` names what was found and never quotes it; `says` is what the caller reads if nothing else answers.
    """

    check_id: str
    because: str
    then: Then
    says: str


CheckResult = Passed | Amended | Withheld


def withheld(spec: CheckSpec, found: str) -> Withheld:
    """Return what a check that found something says: the finding first, then why it matters."""
    return Withheld(spec.id, f"{found}: {spec.because}", spec.then, spec.says)
