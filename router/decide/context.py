"""How is context looked for? The route says how; tier and topic may ask for more, never for less."""

from router.bundle.files import RouteSpec
from router.bundle.files.demands import Demand, deeper
from router.contract import LEVELS, Level, RetrievalPlan

_TOP_K = 6
"""How many chunks are looked up where the demand names the index, and no route says how many."""


def retrieval_of(route: RouteSpec, demand: Demand, clearance: Level) -> RetrievalPlan | None:
    """Return the plan for looking things up, up to this clearance; None where neither route nor demand names an index."""
    plan = route.retrieval
    if plan is None and demand.retrieval is not None and demand.index is not None:
        plan = RetrievalPlan(index=demand.index, top_k=_TOP_K, strategy=demand.retrieval)
    if plan is None:
        return None
    depth = deeper(plan.depth, demand.retrieval)
    raised = {"strategy": depth} if depth != plan.depth else {}
    return plan.model_copy(update={"clearance": lower(plan.clearance, clearance), **raised})


def lower(one: Level, other: Level) -> Level:
    """Return the lower of two levels."""
    return min(one, other, key=LEVELS.index)
