"""What is a lane asked? The call of one rung, with everything that it needs resolved, and what has to be done to it before it is sent."""

from collections.abc import Awaitable, Callable
from functools import partial

from router.bundle.files import LaneSpec
from router.context.citable import citable
from router.contract import Decision, Rung, Sampling, ToolSpec
from router.decide import label_found
from router.exact import canonical_json
from router.execute.climb import Step
from router.execute.run import Run
from router.lane import LaneCall
from router.prompt import prompt_messages
from router.redact import Hiding
from router.redacting import RedactedCall, Redactor
from router.scan import scan_text
from router.validate import AnswerContract, contract_of


def lane_call(decision: Decision, run: Run, step: Step, seconds_left: float) -> LaneCall:
    """Return the call of one rung: everything the lane needs to know."""
    request, rung = run.request, step.rung
    lane = run.bundle.lanes[rung.lane]
    schema_name, schema_json = contract_schema(decision, run)
    return LaneCall(
        trace_id=run.trace_id,
        attempt=step.attempt,
        lane=rung.lane,
        model=rung.model,
        org=request.org,
        label=decision.label,
        risk_tier=decision.risk_tier,
        attack=decision.attack,
        harm=decision.harm,
        messages=prompt_messages(request.messages),
        sampling=_sampling(decision.sampling, lane, run.trace_id),
        max_tokens=decision.budgets.output_tokens,
        deadline_seconds=seconds_left,
        first_token_seconds=min(
            decision.budgets.first_token_seconds,
            lane.timeouts.first_token_seconds,
            max(0.0, step.until - run.clock.monotonic()),
        ),
        bundle_hash=decision.bundle_hash,
        client_tools=tools_for(lane, decision, run),
        tool_choice=request.tool_choice if decision.client_tools else None,
        schema_name=schema_name,
        json_schema=_citing(schema_json, decision, run),
        cache_salt=run.cache_salt,
        continue_from=step.begun or None,
        may_leave=any(run.bundle.lanes[name].is_hosted for name in step.round_it),
        goes_on=bool(step.round_it),
    )


def _citing(schema_json: str | None, decision: Decision, run: Run) -> str | None:
    """Let an answer in the bundle's own shape cite what it was given, and nothing else."""
    asked = decision.output_contract
    if schema_json is None or not run.context or asked.schema_name in (None, "request"):
        return schema_json
    rule = run.bundle.rules_of_route(decision.route).citations
    return citable(schema_json, rule.ids, run.context, rule.at_least if asked.citations else 0)


def tools_for(lane: LaneSpec, decision: Decision, run: Run) -> tuple[ToolSpec, ...]:
    """Return what a lane may call: the caller's own tools, and ours that are offered where its model can call any."""
    own = run.request.client_tools if decision.client_tools else ()
    return (*own, *run.offered) if run.offered and _can_call(lane, run) else own


def _can_call(lane: LaneSpec, run: Run) -> bool:
    """A hosted model calls tools, one of ours where it is served with a parser for that; one that redacts would call with placeholders."""
    if lane.is_hosted:
        return not lane.redact
    model = run.bundle.models.get(str(lane.base_model))
    return model is not None and model.engine.tool_call_parser is not None


def _sampling(asked: Sampling, lane: LaneSpec, trace_id: str) -> Sampling:
    """On an exact lane nothing is left to chance: a call without a seed gets one from its trace, so that it can be asked again."""
    if lane.determinism == "any" or asked.seed is not None:
        return asked
    return asked.model_copy(update={"seed": seed_of(trace_id)})


def seed_of(trace_id: str) -> int:
    """Return the seed of an exact lane's call that brought none: the first 60 bits of its trace ID."""
    return int(trace_id[:15], 16)


def contract_schema(decision: Decision, run: Run) -> tuple[str | None, str | None]:
    """Name and JSON Schema text of the answer's contract; (None, None) for free text, `"{}"` for any JSON object.

    Where a tool's arguments are asked for, that is the tool's own schema.
    """
    if run.arguments_of is not None:
        return run.arguments_of.name, canonical_json(dict(run.arguments_of.parameters))
    contract = decision.output_contract
    if contract.type == "text":
        return None, None
    if contract.schema_name is None or contract.schema_name == "request":
        return run.request.response_format.name, run.request.response_format.json_schema or "{}"
    return contract.schema_name, run.bundle.contracts[contract.schema_name]


def answer_contract(decision: Decision, run: Run) -> AnswerContract | None:
    """Return what the lane's whole answer is held against; None for free text that no rule speaks of."""
    if run.arguments_of is not None:
        name, schema = contract_schema(decision, run)
        return AnswerContract(name or "arguments", schema)
    return contract_of(decision, run.request, run.bundle, run.context)


def redactor_of(rung: Rung, decision: Decision, run: Run) -> Callable[[LaneCall], Awaitable[RedactedCall]] | None:
    """Return what has to be done to a call before this rung sends it: nothing, for most."""
    if rung.redacts is None:
        return None
    tiers = run.bundle.tiers
    hiding = Hiding(rung.redacts.categories, decision.findings, scan_text, tiers.raise_at)
    redactor = Redactor(run.request, hiding, partial(label_found, tiers=tiers), run.maps)
    return partial(redactor.redacted, rung=rung)
