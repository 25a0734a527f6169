"""Does what a bundle promises of its boundary hold of every question there is? And what request shows where it does not?

Why asking about every lane and tool answers for every route, rung, spill-over and redaction: nothing is put into a way, first or last,
that the boundary did not allow with the label of what would be put there (`router.decide.rungs`, `router.decide.aids`), a redacted text
with what it holds then and with what it held before; and no route, ladder or request can name a way that is not among those asked about.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from router.bundle import Bundle
from router.bundle.promises import BoundaryProperty
from router.bundle.proof import Evaluator, Proof, Verdicts, all_verdicts, breaking, prove
from router.bundle.source import Source
from router.bundle.space import space_of
from router.errors import NotProved
from router.policy.cases import Parse
from router.policy.exits import Egress, Exits, exits_of, prove_egress
from router.policy.idle import Idle, idle_policies, idle_rules
from router.policy.witness import Witness, witness
from router.rules import compile_rule

METHOD: Final = "exhaustive"


@dataclass(frozen=True, slots=True)
class Proved:
    """A property, whether it holds, and where it does not, a request that shows it."""

    proof: Proof
    questions: int
    witness: Witness | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as `lane policy prove --json` prints it."""
        broken = self.proof.broken_by
        return {
            "property": self.proof.rule.id,
            "holds": self.proof.holds,
            "method": METHOD,
            "questions": self.questions,
            "counterexample": self.witness.line if self.witness else None,
            "confirmed": self.witness.confirmed if self.witness else None,
            "question": broken.as_json() if broken else None,
            "because": self.proof.because,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All that was proved of a bundle. `classes`: kinds of question that its policies tell apart; `asked`: questions put to Cedar."""

    proved: tuple[Proved, ...]
    questions: int = 0
    classes: int = 0
    asked: int = 0
    exits: tuple[Exits, ...] = ()
    egress: Egress | None = None
    idle: tuple[Idle, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every property does, and `egress: none` where it is declared."""
        return all(one.proof.holds for one in self.proved) and (self.egress is None or self.egress.broken_by is None)


def prove_bundle(bundle: Bundle, source: Source, parse: Parse) -> Report:
    """Prove every property, and name the rules that do nothing. Where nothing can be proved, nothing holds."""
    texts = tuple(
        case.request["text"] for file in source.cases.values() for case in file.cases if "text" in case.request
    )
    try:
        space = space_of(
            bundle.boundary.schema_text, bundle.tenants.values(), bundle.lanes.values(), bundle.tools.values()
        )
        verdicts = all_verdicts(space, bundle.boundary)
    except NotProved as error:
        because = f"not proved: {error}"
        return Report(tuple(Proved(Proof(rule, holds=False, because=because), 0) for rule in source.promised))
    proved = tuple(_proved(rule, verdicts, bundle, parse, texts) for rule in source.promised)
    empty = (
        Idle("warning", "promises-nothing", one.proof.rule.id, "its condition holds of no question there is")
        for one in proved
        if one.proof.ever is False
    )
    return Report(
        proved,
        len(space),
        verdicts.classes,
        verdicts.asked,
        exits_of(bundle, verdicts),
        prove_egress(bundle, parse, texts),
        tuple(chain(idle_policies(bundle, verdicts), idle_rules(bundle), empty)),
    )


def _proved(rule: BoundaryProperty, verdicts: Verdicts, bundle: Bundle, parse: Parse, texts: tuple[str, ...]) -> Proved:
    proof = prove(rule, verdicts)
    if proof.broken_by is None:
        return Proved(proof, len(verdicts.space))
    evaluator = Evaluator(compile_rule(rule.when), verdicts.space)
    shown = witness(rule, breaking(rule, verdicts), evaluator, bundle, parse, texts)
    return Proved(proof, len(verdicts.space), shown)
