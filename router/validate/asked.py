"""Which contract does this decision hold the answer to?"""

from collections.abc import Sequence
from dataclasses import replace

from router.bundle import Bundle
from router.bundle.answer_rules import NO_RULES, ContractRules
from router.context import CitationRule, false_citations
from router.contract import Chunk, Decision, RouteRequest
from router.validate.answer import ANY_OBJECT, AnswerContract, Look


def contract_of(
    decision: Decision, request: RouteRequest, bundle: Bundle, context: Sequence[Chunk] = ()
) -> AnswerContract | None:
    """Return the answer's contract; None for free text that no rule speaks of. `context`: the passages that became part of the prompt.

    A caller that asks for a shape of its own gets it, and the rules of the route's contract hold all the same: what may not be in an
    answer may not be there in another shape either.
    """
    shape = _shape(decision, request, bundle)
    if not decision.output_contract.citations:
        return shape
    shape = shape or AnswerContract("citations", None)
    return replace(shape, looks=(_citations(shape, context),))


def _shape(decision: Decision, request: RouteRequest, bundle: Bundle) -> AnswerContract | None:
    asked = decision.output_contract
    own = asked.schema_name
    if asked.type == "text":
        rules = bundle.answer_rules.get(own) if own is not None else None
        return None if own is None or rules is None else AnswerContract(own, None, rules)
    if own is None or own == "request":
        form = request.response_format
        return AnswerContract(form.name, form.json_schema or ANY_OBJECT, bundle.rules_of_route(decision.route))
    return AnswerContract(own, bundle.contracts[own], bundle.answer_rules.get(own, NO_RULES))


def _citations(shape: AnswerContract, context: Sequence[Chunk]) -> Look:
    """An answer cites what it was given. Where nothing was found there is nothing to cite, and still nothing to invent."""
    rule = _rule(shape.rules, most=len(context))

    def look(answer: str) -> tuple[str, ...]:
        breaches = false_citations(answer, context, rule, json=shape.schema is not None)
        return tuple(f"citations: {breach}" for breach in breaches)

    return look


def _rule(rules: ContractRules, most: int) -> CitationRule:
    asked = rules.citations
    return CitationRule(min(asked.at_least, most), asked.each_sentence, asked.ids, asked.prose)
