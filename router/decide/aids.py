"""What may help with the answer? The route's context and tools, as far as tenant, caller and boundary let them be used."""

from collections.abc import Iterator
from dataclasses import dataclass

from router.boundary import RetrieveQuestion, ToolQuestion
from router.bundle import Bundle
from router.bundle.files import RouteSpec, TenantSpec
from router.bundle.files.demands import Demand
from router.contract import Concern, Label, PolicyFired, RetrievalPlan, RiskTier, RouteRequest, ToolPlan
from router.decide.context import lower, retrieval_of


@dataclass(frozen=True, slots=True)
class Wanting:
    """Who wants help, and with what kind of text. `kept_in` says what closes every way out beside the policies, if anything does.

    `demand` is what tier and topics ask of the help; the tier's profile speaks for it.
    """

    request: RouteRequest
    tenant: TenantSpec
    label: Label
    tier: RiskTier
    attack: Concern
    harm: Concern
    kept_in: tuple[PolicyFired, ...]
    demand: Demand
    profile: str


@dataclass(frozen=True, slots=True)
class Aids:
    """The help that may be used, and the policies that withheld the rest."""

    retrieval: RetrievalPlan | None
    tools: tuple[ToolPlan, ...]
    withheld: tuple[PolicyFired, ...]


def aids_of(route: RouteSpec, wanting: Wanting, bundle: Bundle) -> Aids:
    """Return the route's context and tools that everyone allows; a tool that changes anything waits for a person."""
    withheld: list[PolicyFired] = []
    demand = wanting.demand
    retrieval = retrieval_of(route, demand, lower(wanting.tenant.clearance, wanting.request.clearance))
    if retrieval is not None and (no := tuple(_against_index(retrieval.index, wanting, bundle))):
        retrieval = None
        withheld.extend(no)
    tools: list[ToolPlan] = []
    for tool in route.tools:
        if no := tuple(_against_tool(tool.name, wanting, bundle)):
            withheld.extend(no)
        else:
            known = bundle.tools[tool.name]
            waits = known.needs_person or known.side_effect in demand.approvals
            tools.append(tool.model_copy(update={"needs_approval": True}) if waits else tool)
    return Aids(retrieval, tuple(tools), tuple(withheld))


def _against_index(index: str, wanting: Wanting, bundle: Bundle) -> Iterator[PolicyFired]:
    org = wanting.tenant.org
    verdict = bundle.boundary.may_retrieve(
        RetrieveQuestion(org, index, wanting.label, wanting.tier, wanting.attack, wanting.harm)
    )
    if not verdict.allowed:
        yield from verdict.policies


def _against_tool(tool: str, wanting: Wanting, bundle: Bundle) -> Iterator[PolicyFired]:
    tenant, request = wanting.tenant, wanting.request
    if tenant.tools and tool not in tenant.tools:
        because = f"tool {tool} is not among the tenant's tools"
        yield PolicyFired(id="tenant-tools", effect="forbid", because=because)
    elif request.allowed_tools and tool not in request.allowed_tools:
        because = f"tool {tool} is not among the tools the request allows"
        yield PolicyFired(id="request-tools", effect="forbid", because=because)
    elif bundle.tools[tool].side_effect not in wanting.demand.tools:
        because = f"tool {tool} is a {bundle.tools[tool].side_effect} tool, which this tier and topic rule out"
        yield PolicyFired(id=wanting.profile, effect="forbid", because=because)
    elif wanting.kept_in and bundle.tools[tool].reaches_outside:
        yield from wanting.kept_in
    else:
        verdict = bundle.boundary.may_call_tool(
            ToolQuestion(tenant.org, tool, wanting.label, wanting.tier, wanting.attack, wanting.harm)
        )
        if not verdict.allowed:
            yield from verdict.policies
