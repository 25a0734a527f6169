"""Which questions can the boundary be asked before something leaves? Every tenant and way, with all that a verdict may depend on.

A way is a lane (a text is sent there) or a tool (a text may end up in its arguments). The names of a question are enumerated in the Cedar
schema, so the space is finite. A name that the schema does not list is asked as `unknown`, which is one of the enumerated names: whatever
a request's label holds, its question is in this space.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import Final, Literal, cast

from typing_extensions import override

from router.boundary import Boundary, SendQuestion, ToolQuestion, Verdict, enumerated
from router.bundle.files import LaneSpec, TenantSpec, ToolFile
from router.contract import CONCERNS, LEVELS, RISK_TIERS, Concern, Decision, Label, Level, RiskTier
from router.errors import NotProved

Action = Literal["send", "call_tool"]
ACTIONS: Final[tuple[Action, ...]] = ("send", "call_tool")
Value = str | tuple[str, ...]
Values = Mapping[str, Value]
"""One value for each axis, by its name."""
WaySpec = LaneSpec | ToolFile

MOST_NAMES: Final = 18
"""A set over more names than this has too many values to list them all (2^18 = 262,144)."""
_LANE_UNSEEN: Final = frozenset({"purpose", "model", "timeouts", "price", "context_tokens"})
_TOOL_UNSEEN: Final = frozenset({"description", "parameters", "result", "timeout_seconds"})
_TENANT_UNSEEN: Final = frozenset({"keys", "label", "lanes", "tools"})
"""What Cedar is not told of a lane, a tool and a tenant. All else may tell them apart."""


class SpaceTooLarge(NotProved):
    """The bundle's schema makes more questions than can be looked at: nothing is claimed of them."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that a verdict depends on: its name in Cedar's context, the entity type of its values, and all it can be."""

    name: str
    entity: str
    values: tuple[Value, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names that its sets are made of; none where it is one name at a time."""
        return frozenset(self.values[-1]) if isinstance(self.values[-1], tuple) else frozenset()


@dataclass(frozen=True, slots=True)
class Way:
    """Something that a text can be put into, by what that is called in Cedar and its own name."""

    action: Action
    name: str

    @override
    def __str__(self) -> str:
        return f"lane {self.name}" if self.action == "send" else f"tool {self.name}"


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the boundary."""

    org: str
    way: Way
    values: Values

    def as_json(self) -> dict[str, object]:
        """Return it flat, as the commands print it."""
        named = {"lane": self.way.name} if self.way.action == "send" else {"tool": self.way.name}
        return {"org": self.org, **named, **self.values}


@dataclass(frozen=True, slots=True)
class Space:
    """All questions: every tenant with every way and every combination of the values of that way's axes."""

    tenants: Mapping[str, TenantSpec]
    ways: Mapping[Way, WaySpec]
    axes: Mapping[Action, tuple[Axis, ...]]

    def __len__(self) -> int:
        return sum(len(self.tenants) * prod(len(axis.values) for axis in self.axes[way.action]) for way in self.ways)

    def pairs(self) -> Iterator[tuple[str, Way]]:
        """Every tenant with every way."""
        return product(self.tenants, self.ways)


def space_of(schema: str, tenants: Iterable[TenantSpec], lanes: Iterable[LaneSpec], tools: Iterable[ToolFile]) -> Space:
    """Return the space of a schema. Raises `SpaceTooLarge`."""
    return Space({one.org: one for one in tenants}, ways_of(lanes, tools), axes_of(schema))


def ways_of(lanes: Iterable[LaneSpec], tools: Iterable[ToolFile]) -> dict[Way, WaySpec]:
    """Name each lane and tool as a way."""
    return {Way("send", lane.name): lane for lane in lanes} | {Way("call_tool", tool.name): tool for tool in tools}


def leads_out(way: WaySpec) -> bool:
    """Tell whether what is put into it leaves the cluster."""
    return way.is_hosted if isinstance(way, LaneSpec) else way.reaches_outside


def axes_of(*schemas: str) -> dict[Action, tuple[Axis, ...]]:
    """Return the axes of one schema, or of several together: a name that one does not list is asked of it as `unknown`."""

    def sets(name: str, entity: str) -> Axis:
        names = frozenset[str]().union(*(enumerated(schema, entity) for schema in schemas))
        return Axis(name, entity, _subsets(sorted(names)))

    listed = frozenset[str]().union(*(enumerated(schema, "Concern") for schema in schemas))
    concerns = tuple(concern for concern in CONCERNS if concern in listed)
    common = (
        Axis("level", "Level", LEVELS),
        sets("categories", "Category"),
        sets("jurisdictions", "Jurisdiction"),
        Axis("risk_tier", "RiskTier", RISK_TIERS),
        Axis("attack", "Concern", concerns),
        Axis("harm", "Concern", concerns),
    )
    return {"send": (*common, sets("redacted", "Category")), "call_tool": common}


def _subsets(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    if len(names) > MOST_NAMES:
        raise SpaceTooLarge(f"{len(names)} names make 2^{len(names)} sets; at most {MOST_NAMES} can be looked at")
    return tuple(some for size in range(len(names) + 1) for some in combinations(names, size))


def label_of(values: Values) -> Label:
    """Return the label that these values make."""
    return Label.model_construct(
        level=cast("Level", values["level"]),
        categories=cast("tuple[str, ...]", values["categories"]),
        jurisdictions=cast("tuple[str, ...]", values["jurisdictions"]),
    )


def values_of(decision: Decision, lane: str | None = None) -> dict[str, Value]:
    """Return the values that a decision's ways were asked with: a lane that redacts about the rest, and what was taken out."""
    redacts = next((rung.redacts for rung in decision.ladder if rung.lane == lane and rung.redacts is not None), None)
    label = decision.label if redacts is None else redacts.label
    return {
        "level": label.level,
        "categories": label.categories,
        "jurisdictions": label.jurisdictions,
        "risk_tier": decision.risk_tier,
        "attack": decision.attack,
        "harm": decision.harm,
        "redacted": () if redacts is None else redacts.categories,
    }


def ask(boundary: Boundary, questions: Iterable[Question]) -> list[Verdict]:
    """Put questions to the boundary: the one place where the space's values become what the boundary takes."""
    return boundary.ask([_asked(question) for question in questions])


def _asked(question: Question) -> SendQuestion | ToolQuestion:
    org, name, values = question.org, question.way.name, question.values
    label, tier = label_of(values), cast("RiskTier", values["risk_tier"])
    attack, harm = cast("Concern", values["attack"]), cast("Concern", values["harm"])
    match question.way.action:
        case "send":
            return SendQuestion(org, name, label, tier, attack, harm, cast("tuple[str, ...]", values["redacted"]))
        case "call_tool":
            return ToolQuestion(org, name, label, tier, attack, harm)


def kind_of(tenant: TenantSpec, way: WaySpec, spoken: frozenset[str]) -> tuple[str, str]:
    """Return what policies can tell a tenant and a way by: their attributes, and their names where a policy names them."""
    unseen_tenant = _TENANT_UNSEEN if tenant.org in spoken else _TENANT_UNSEEN | {"org"}
    unseen_way = _LANE_UNSEEN if isinstance(way, LaneSpec) else _TOOL_UNSEEN
    if way.name not in spoken:
        unseen_way |= {"name"}
    return tenant.model_dump_json(exclude=set(unseen_tenant)), way.model_dump_json(exclude=set(unseen_way))
