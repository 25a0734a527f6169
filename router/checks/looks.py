"""What does this stretch of an answer hold that it must not? One look at a text, by every check that its plan demands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from router.bundle import Bundle
from router.bundle.answer_checks import CompiledCheck
from router.bundle.variables import words_of
from router.checks.leak import Recital
from router.checks.result import Withheld, withheld
from router.checks.theirs import Known, known_to
from router.contract import Decision, Finding, Level, RouteRequest
from router.normalise import normalise
from router.rules import RuleError
from router.scan import scan_text

_UNSCANNED = "UNSCANNED"


@dataclass(frozen=True, slots=True)
class Breach:
    """What a check found, and where it begins in the text looked at (0 where it is about the whole)."""

    start: int
    verdict: Withheld


@dataclass(frozen=True, slots=True)
class Looks:
    """Everything that the checks of one request need to know.

    `sources` is what passages and tools brought, normalised; `added` the disclaimer that will stand after the answer.
    """

    checks: tuple[CompiledCheck, ...]
    known: Known
    levels: dict[str, Level]
    raise_at: float
    sources: str
    added: str
    facts: dict[str, object]
    instructions: tuple[str, ...]
    own: tuple[str, ...]

    def recital(self) -> Recital:
        """Begin to listen for the instructions."""
        wanted = any(check.spec.looks_for == "system_prompt" for check in self.checks)
        return Recital(self.instructions if wanted else (), self.own)

    def recited(self, recital: Recital) -> Withheld | None:
        """Tell whether so much of the instructions was recited that a check minds."""
        for check in self.checks:
            spec = check.spec
            if spec.looks_for == "system_prompt" and recital.reached(spec.share, spec.at_least_words):
                return withheld(spec, "it recites the instructions it was given")
        return None

    def at(self, text: str, *, whole: bool) -> Iterator[Breach]:
        """Yield what is wrong with a stretch, check by check in the bundle's order; with the `whole` answer, all that can be wrong."""
        plain = normalise(text)
        for check in self.checks:
            if check.needs_the_whole and not whole:
                continue
            match check.spec.looks_for:
                case "data":
                    yield from self._data(check, text)
                case "words":
                    yield from self._words(check, text, plain.text)
                case "system_prompt":
                    pass

    def _data(self, check: CompiledCheck, text: str) -> Iterator[Breach]:
        for finding in scan_text(text):
            if finding.score < self.raise_at or not self._minds(check, finding):
                continue
            if finding.entity == _UNSCANNED:
                yield Breach(0, withheld(check.spec, "it could not be read in full"))
            elif not self.known.may_learn(
                finding, text[finding.start : finding.end], self.levels.get(finding.category, "restricted")
            ):
                what = finding.entity.replace("_", " ").lower()
                yield Breach(
                    finding.start, withheld(check.spec, f"it holds {what} ({finding.category}) of somebody else")
                )

    def _minds(self, check: CompiledCheck, finding: Finding) -> bool:
        return not check.spec.categories or finding.category in check.spec.categories

    def _words(self, check: CompiledCheck, text: str, plain: str) -> Iterator[Breach]:
        if check.heals is not None and check.heals.search(f"{plain}\n{self.added}"):
            return
        if not self._applies(check, text):
            return
        if check.finds is None:
            yield Breach(0, withheld(check.spec, "its condition holds"))
            return
        for found in check.finds.finditer(plain):
            if check.spec.sources_may_say and found[0].strip().casefold() in self.sources:
                continue
            yield Breach(_original(text, found.start()), withheld(check.spec, "it says what it may not say"))
            return

    def _applies(self, check: CompiledCheck, text: str) -> bool:
        """A condition that can't be answered counts as one that holds."""
        if check.when is None:
            return True
        facts = self.facts | ({"answer": words_of(text)} if "answer" in check.when.variables else {})
        try:
            return check.when.holds(facts)
        except RuleError:
            return True


def _original(text: str, start: int) -> int:
    return normalise(text).original_span(start, start + 1)[0]


def looks_of(decision: Decision, request: RouteRequest, bundle: Bundle, templates: Iterable[str] = ()) -> Looks:
    """Return what the checks of this plan need. `templates` are instructions that the server itself put into the prompt."""
    checks = tuple(bundle.checks[name] for name in decision.checks if name in bundle.checks)
    sources = "\n".join(message.text for message in request.messages if message.origin != "caller")
    written = [message for message in request.messages if message.origin == "caller"]
    system = tuple(message.text for message in written if message.role == "system")
    return Looks(
        checks=checks,
        known=known_to(request, decision.label, request.clearance),
        levels=dict(bundle.tiers.levels),
        raise_at=bundle.tiers.raise_at,
        sources=normalise(sources).text.casefold(),
        added=(decision.disclaimer or "") if decision.output_contract.type == "text" else "",
        facts=_facts(decision, request),
        instructions=(*system, *templates),
        own=tuple(message.text for message in written if message.role != "system"),
    )


def _facts(decision: Decision, request: RouteRequest) -> dict[str, object]:
    label, topic = decision.label, decision.topic
    return {
        "level": label.level,
        "categories": list(label.categories),
        "jurisdictions": list(label.jurisdictions),
        "intent": topic.intent,
        "domain": topic.domain,
        "regulated": list(topic.regulated),
        "state_changing": topic.state_changing,
        "risk_tier": decision.risk_tier,
        "route": decision.route,
        "org": request.org,
    }
