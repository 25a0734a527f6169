"""Which contract does this decision hold the answer to?"""

from router.bundle import Bundle
from router.bundle.answer_rules import NO_RULES
from router.contract import Decision, RouteRequest
from router.validate.answer import ANY_OBJECT, AnswerContract


def contract_of(decision: Decision, request: RouteRequest, bundle: Bundle) -> AnswerContract | None:
    """Return the answer's contract; None for free text that no rule speaks of.

    A caller that asks for a shape of its own gets it, and the rules of the route's contract hold all the same: what may not be in an
    answer may not be there in another shape either.
    """
    asked = decision.output_contract
    own = asked.schema_name
    if asked.type == "text":
        rules = bundle.answer_rules.get(own) if own is not None else None
        return None if own is None or rules is None else AnswerContract(own, None, rules)
    if own is None or own == "request":
        form = request.response_format
        return AnswerContract(form.name, form.json_schema or ANY_OBJECT, bundle.rules_of_route(decision.route))
    return AnswerContract(own, bundle.contracts[own], bundle.answer_rules.get(own, NO_RULES))
