"""Does every name in the bundle name something, and only one thing?"""

import difflib
import json
from collections.abc import Iterable
from typing import Final

from router.boundary import UNKNOWN, enumerated
from router.bundle.answer_rules import NO_RULES
from router.bundle.files import EVIDENCE
from router.bundle.files.tool_sources import LangChainSource, PythonSource
from router.bundle.schemas import promise_findings, schema_findings, schema_problem
from router.bundle.source import SCHEMA_FILE, Source
from router.bundle.variables import BUILT_IN_CATEGORIES
from router.contract import RISK_TIERS, ToolPlan
from router.enforce import Refused, enforceable

CLASSIFICATION_FAILED: Final = "classification-failed"
"""The built-in route for what could not be judged; no route of a bundle may be called so."""
EMBEDDINGS: Final = "embeddings"
"""The built-in route for texts that are to become embeddings."""
_RESERVED_LANES: Final = frozenset({"auto"})


def reference_findings(source: Source) -> None:
    """Note every duplicate, every name that names nothing, every schema that is none."""
    _duplicates(source)
    _lanes_and_ladders(source)
    _replicas(source)
    _stores(source)
    _routes(source)
    _tiers_and_tenants(source)
    _contracts_and_tools(source)
    _boundary_names(source)


def _duplicates(source: Source) -> None:
    lists: list[tuple[str, str, str, list[str]]] = [
        ("models.yaml", "models", "model", [model.name for model in source.models.models] if source.models else []),
        ("lanes.yaml", "lanes", "lane", [lane.name for lane in source.lanes.lanes] if source.lanes else []),
        (
            "lanes.yaml",
            "indexes",
            "index",
            [index.name for index in source.lanes.indexes] if source.lanes else [],
        ),
        ("lanes.yaml", "stores", "store", [store.name for store in source.lanes.stores] if source.lanes else []),
        (
            "ladders.yaml",
            "ladders",
            "ladder",
            [ladder.name for ladder in source.ladders.ladders] if source.ladders else [],
        ),
        ("tiers.yaml", "rules", "tier rule", [rule.id for rule in source.tiers.rules] if source.tiers else []),
        (
            "tiers.yaml",
            "profiles",
            "tier profile",
            [profile.tier for profile in source.tiers.profiles] if source.tiers else [],
        ),
        ("routes.yaml", "routes", "route", [route.id for route in source.routes.routes] if source.routes else []),
        (
            "tenants.yaml",
            "tenants",
            "tenant",
            [tenant.org for tenant in source.tenants.tenants] if source.tenants else [],
        ),
    ]
    for file, key, what, names in lists:
        _report_repeats(source, what, [(name, file, source.line(file, key, index)) for index, name in enumerate(names)])
    for index, tenant in enumerate(source.tenants.tenants if source.tenants else ()):
        keys = [
            (key.id, "tenants.yaml", source.line("tenants.yaml", "tenants", index, "keys", at))
            for at, key in enumerate(tenant.keys)
        ]
        _report_repeats(source, f"key of tenant {tenant.org}", keys)
    # A key that two entries hold would name two callers.
    hashes = [
        (key.sha256, "tenants.yaml", source.line("tenants.yaml", "tenants", index, "keys", at))
        for index, tenant in enumerate(source.tenants.tenants if source.tenants else ())
        for at, key in enumerate(tenant.keys)
        if key.sha256 is not None
    ]
    _report_repeats(source, "the key with hash", hashes)
    _report_repeats(
        source, "tool", [(tool.name, file, source.line(file, "name")) for file, tool in source.tools.items()]
    )
    policies = [
        (one.policy.id, file.name, one.line) for file in source.policies for one in file.statements if one.policy.id
    ]
    _report_repeats(source, "policy", policies)


def _report_repeats(source: Source, what: str, named: Iterable[tuple[str, str, int]]) -> None:
    first: dict[str, str] = {}
    for name, file, line in named:
        if name in first:
            source.find(
                file, line, f"{what} `{name}` is there twice, first at {first[name]}", "give each an ID of its own"
            )
        else:
            first[name] = f"{file}:{line}"


def unknown(source: Source, file: str, line: int, what: str, name: str, known: Iterable[str], home: str) -> None:
    """Note a name that names nothing, and the nearest that does."""
    names = sorted(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        mend = f"did you mean `{near[0]}`?" if near else f"use one of {', '.join(names) or '(there is none)'}"
        source.find(file, line, f"unknown {what} `{name}`", f"{mend} Or add it to {home}")


def _lanes_and_ladders(source: Source) -> None:
    models = {name for model in source.models.models for name in model.served_names} if source.models else None
    for index, lane in enumerate(source.lanes.lanes if source.lanes else ()):
        if lane.name in _RESERVED_LANES:
            source.find(
                "lanes.yaml",
                source.line("lanes.yaml", "lanes", index, "name"),
                f"`{lane.name}` is reserved",
                "rename the lane",
            )
        if lane.model is not None and models is not None:
            line = source.line("lanes.yaml", "lanes", index, "model")
            unknown(source, "lanes.yaml", line, "model", lane.model, models, "models.yaml")
    for index, ladder in enumerate(source.ladders.ladders if source.ladders else ()):
        if not ladder.steps:
            line = source.line("ladders.yaml", "ladders", index)
            source.find(
                "ladders.yaml",
                line,
                f"ladder `{ladder.name}` has no step: it ends in nothing",
                "add a lane to its `steps`",
            )
        for at, step in enumerate(ladder.steps):
            if source.lanes:
                line = source.line("ladders.yaml", "ladders", index, "steps", at, "lane")
                unknown(source, "ladders.yaml", line, "lane", step.lane, _lane_names(source), "lanes.yaml")
                _answers(source, "ladders.yaml", line, step.lane)


def _answers(source: Source, file: str, line: int, lane: str) -> None:
    """Note a lane that only embeds where an answer is wanted."""
    embed = {model.name for model in source.models.models if model.task == "embed"} if source.models else set()
    if source.lanes and any(one.name == lane and one.model in embed for one in source.lanes.lanes):
        source.find(file, line, f"lane `{lane}` gives embeddings, no answers", "name a lane whose model answers")


def _replicas(source: Source) -> None:
    """Note each lane whose promise to survive the loss of replicas its model can't keep."""
    models = {model.name: model for model in source.models.models} if source.models else {}
    for index, lane in enumerate(source.lanes.lanes if source.lanes else ()):
        model = models.get(lane.base_model or "")
        if model is None or not lane.n_plus:
            continue
        line = source.line("lanes.yaml", "lanes", index, "n_plus")
        promise = f"lane `{lane.name}` promises to survive the loss of {lane.n_plus} (n_plus)"
        if model.least_replicas <= lane.n_plus:
            message = f"{promise}, and model `{model.name}` may be down to {model.least_replicas}"
            where = "replicas" if model.scaling is None else "scaling.min_replicas"
            source.find(
                "lanes.yaml", line, message, f"give it `{where}: {lane.n_plus + 1}` in models.yaml, or promise less"
            )
        elif model.scaling is not None and model.scaling.spare_replicas < lane.n_plus:
            message = f"{promise}, and model `{model.name}` keeps {model.scaling.spare_replicas} to spare"
            mend = f"give it `scaling.spare_replicas: {lane.n_plus}` in models.yaml, or promise less"
            source.find("lanes.yaml", line, message, mend)


def _stores(source: Source) -> None:
    """Without a store for evidence nothing can be answered."""
    if source.lanes and EVIDENCE not in {store.name for store in source.lanes.stores}:
        line = source.line("lanes.yaml", "stores")
        source.find("lanes.yaml", line, f"no store `{EVIDENCE}`", f"add it to `stores`: where does {EVIDENCE} rest?")


def _lane_names(source: Source) -> set[str]:
    return {lane.name for lane in source.lanes.lanes} if source.lanes else set()


def _routes(source: Source) -> None:
    ladders = {ladder.name for ladder in source.ladders.ladders} if source.ladders else None
    tools = {tool.name for tool in source.tools.values()}
    contracts = {contract_name(file) for file in source.contracts}
    of_text = {contract_name(file) for file in source.answer_rules} - contracts
    for index, route in enumerate(source.routes.routes if source.routes else ()):

        def line(*path: str | int, at: int = index) -> int:
            return source.line("routes.yaml", "routes", at, *path)

        if route.id in {CLASSIFICATION_FAILED, EMBEDDINGS}:
            source.find("routes.yaml", line("id"), f"`{route.id}` is reserved", "rename the route")
        if route.lane is not None and source.lanes:
            unknown(source, "routes.yaml", line("lane"), "lane", route.lane, _lane_names(source), "lanes.yaml")
            _answers(source, "routes.yaml", line("lane"), route.lane)
        for cause, ladder in route.fallback.items():
            if ladders is not None:
                unknown(source, "routes.yaml", line("fallback", cause), "ladder", ladder, ladders, "ladders.yaml")
        for at, tool in enumerate(route.tools):
            unknown(source, "routes.yaml", line("tools", at, "name"), "tool", tool.name, tools, "tools/")
            _read_by_model(source, tool, line("tools", at, "arguments"))
        if route.retrieval is not None and source.lanes:
            known = {index.name for index in source.lanes.indexes}
            unknown(
                source,
                "routes.yaml",
                line("retrieval", "index"),
                "index",
                route.retrieval.index,
                known,
                "lanes.yaml, under `indexes`",
            )
        schema = route.output_contract.schema_name
        if schema is not None:
            unknown(
                source,
                "routes.yaml",
                line("output_contract", "schema"),
                "contract schema",
                schema,
                contracts if route.output_contract.type == "json" else contracts | of_text,
                "contracts/",
            )


def contract_name(file: str) -> str:
    """`contracts/SupportAnswerV3.json` and `contracts/SupportAnswerV3.rules.yaml` hold the contract SupportAnswerV3."""
    return file.removeprefix("contracts/").removesuffix(".json").removesuffix(".rules.yaml")


def _tiers_and_tenants(source: Source) -> None:
    if source.tiers:
        for tier in RISK_TIERS:
            if tier not in {profile.tier for profile in source.tiers.profiles}:
                line = source.line("tiers.yaml", "profiles")
                source.find(
                    "tiers.yaml", line, f"no profile for the tier `{tier}`", "add one: what does the tier demand?"
                )
    tools = {tool.name for tool in source.tools.values()}
    routes = {route.id for route in source.routes.routes} if source.routes else set()
    for index, tenant in enumerate(source.tenants.tenants if source.tenants else ()):
        for at, lane in enumerate(tenant.lanes if source.lanes else ()):
            line = source.line("tenants.yaml", "tenants", index, "lanes", at)
            unknown(source, "tenants.yaml", line, "lane", lane, _lane_names(source), "lanes.yaml")
        for at, tool in enumerate(tenant.tools):
            line = source.line("tenants.yaml", "tenants", index, "tools", at)
            unknown(source, "tenants.yaml", line, "tool", tool, tools, "tools/")
        for route in tenant.daily_by_route if source.routes else ():
            line = source.line("tenants.yaml", "tenants", index, "daily_by_route", route)
            unknown(source, "tenants.yaml", line, "route", route, routes, "routes.yaml")
        for at, key in enumerate(tenant.keys if source.lanes else ()):
            line = source.line("tenants.yaml", "tenants", index, "keys", at)
            for lane in key.lanes:
                unknown(source, "tenants.yaml", line, "lane", lane, tenant.lanes or _lane_names(source), "lanes.yaml")


def _read_by_model(source: Source, plan: ToolPlan, line: int) -> None:
    """A model that reads arguments out of a request is held to the tool's schema, so the engine must be able to hold it."""
    if plan.arguments != "model":
        return
    if not plan.required:
        because = f"`arguments: model` does nothing for `{plan.name}`: it is not required, so the model calls it itself"
        source.find("routes.yaml", line, because, "set `required: true`, or leave `arguments` out")
    for tool in source.tools.values():
        if tool.name == plan.name and isinstance(refused := enforceable(json.dumps(tool.parameters)), Refused):
            because = (
                f"no engine can be held to the parameters of `{plan.name}`, at #{refused.place}: {refused.because}"
            )
            source.find(
                "routes.yaml", line, because, "leave that out of the tool's parameters, or `arguments: model` here"
            )


def _contracts_and_tools(source: Source) -> None:
    for file, text in source.contracts.items():
        problems = schema_findings(file, text)
        rules = source.answer_rules.get(file.removesuffix(".json") + ".rules.yaml", NO_RULES)
        source.findings.extend(problems or (promise_findings(file, text) if rules.strict else []))
    for file, tool in source.tools.items():
        for part, schema in (("parameters", tool.parameters), ("result", tool.result)):
            problem = schema_problem(schema)
            if problem is not None:
                source.find(
                    file, source.line(file, part), f"{part} {problem[0]}", "make it a valid JSON Schema (draft 2020-12)"
                )
        if isinstance(tool.source, PythonSource | LangChainSource):
            module = f"tools/{tool.source.entry.partition(':')[0]}.py"
            if module not in source.files:
                line = source.line(file, "source", "entry")
                source.find(file, line, f"no file `{module}`", "add it to the bundle, or name one of its modules")


def _boundary_names(source: Source) -> None:
    """Every category and jurisdiction in use must be one that policies can name."""
    if source.schema is None:
        return
    used: list[tuple[str, str, str, int]] = [
        ("Category", name, SCHEMA_FILE, _line_of_enum(source.schema, "Category"))
        for name in (*BUILT_IN_CATEGORIES, UNKNOWN)
    ]
    used.append(("Jurisdiction", UNKNOWN, SCHEMA_FILE, _line_of_enum(source.schema, "Jurisdiction")))
    if source.tiers:
        used += [
            ("Category", name, "tiers.yaml", source.line("tiers.yaml", "levels", name)) for name in source.tiers.levels
        ]
    for index, lane in enumerate(source.lanes.lanes if source.lanes else ()):
        line = source.line("lanes.yaml", "lanes", index)
        used += [("Category", name, "lanes.yaml", line) for name in lane.cleared_for]
        used += [("Category", name, "lanes.yaml", line) for name in lane.redact]
        used += [("Jurisdiction", name, "lanes.yaml", line) for name in lane.jurisdictions]
    for index, kept in enumerate(source.lanes.indexes if source.lanes else ()):
        line = source.line("lanes.yaml", "indexes", index)
        used += [("Category", name, "lanes.yaml", line) for name in kept.label.categories]
        used += [
            ("Jurisdiction", name, "lanes.yaml", line) for name in (*kept.label.jurisdictions, *kept.jurisdictions)
        ]
    for index, store in enumerate(source.lanes.stores if source.lanes else ()):
        line = source.line("lanes.yaml", "stores", index)
        used += [("Jurisdiction", name, "lanes.yaml", line) for name in store.jurisdictions]
    for file, tool in source.tools.items():
        line = source.line(file, "jurisdictions")
        used += [("Jurisdiction", name, file, line) for name in tool.jurisdictions]
    for index, tenant in enumerate(source.tenants.tenants if source.tenants else ()):
        line = source.line("tenants.yaml", "tenants", index, "label")
        used += [("Category", name, "tenants.yaml", line) for name in tenant.label.categories]
        used += [("Jurisdiction", name, "tenants.yaml", line) for name in tenant.label.jurisdictions]
        used += [("Jurisdiction", name, "tenants.yaml", line) for key in tenant.keys for name in key.jurisdictions]
    for index, route in enumerate(source.routes.routes if source.routes else ()):
        line = source.line("routes.yaml", "routes", index, "label")
        used += [("Category", name, "routes.yaml", line) for name in route.label.categories]
        used += [("Jurisdiction", name, "routes.yaml", line) for name in route.label.jurisdictions]
    for kind, name, file, line in dict.fromkeys(used):
        if name not in enumerated(source.schema, kind):
            mend = f'add "{name}" to `entity {kind} enum [...]` in {SCHEMA_FILE}'
            source.find(file, line, f"the boundary knows no {kind.lower()} `{name}`", mend)


def _line_of_enum(schema: str, kind: str) -> int:
    at = schema.find(f"entity {kind} ")
    return schema.count("\n", 0, max(at, 0)) + 1
