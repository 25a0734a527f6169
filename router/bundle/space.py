"""Which questions can the boundary be asked? Every tenant and lane, with every value of everything else a verdict may depend on.

The names of a question are enumerated in the Cedar schema, so the space is finite. A name that the schema does not list is asked as
`unknown`, which is one of the enumerated names: whatever a request's label holds, its question is in this space.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import Final, cast

from router.boundary import Boundary, SendQuestion, Verdict, enumerated
from router.bundle.files import LaneSpec, TenantSpec
from router.contract import CONCERNS, LEVELS, RISK_TIERS, Concern, Label, Level, RiskTier

Value = str | tuple[str, ...]
Values = Mapping[str, Value]
"""One value for each axis, by its name."""

MOST_NAMES: Final = 18
"""A set over more names than this has too many values to list them all (2^18 = 262,144)."""
_LANE_UNSEEN: Final = frozenset({"purpose", "model", "timeouts", "price", "context_tokens"})
_TENANT_UNSEEN: Final = frozenset({"keys", "label", "lanes", "tools", "egress"})
"""What Cedar is not told of a lane and of a tenant. All else may tell them apart."""


class SpaceTooLarge(Exception):
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
class Space:
    """All questions: every tenant with every lane and every combination of the axes' values."""

    tenants: Mapping[str, TenantSpec]
    lanes: Mapping[str, LaneSpec]
    axes: tuple[Axis, ...]

    def __len__(self) -> int:
        return len(self.tenants) * len(self.lanes) * prod(len(axis.values) for axis in self.axes)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every tenant with every lane."""
        return product(self.tenants, self.lanes)


def space_of(schema: str, tenants: Iterable[TenantSpec], lanes: Iterable[LaneSpec]) -> Space:
    """Return the space of a schema. Raises `SpaceTooLarge`."""
    return Space({one.org: one for one in tenants}, {one.name: one for one in lanes}, axes_of(schema))


def axes_of(*schemas: str) -> tuple[Axis, ...]:
    """Return the axes of one schema, or of several together: a name that one does not list is asked of it as `unknown`."""

    def sets(name: str, entity: str) -> Axis:
        names = frozenset[str]().union(*(enumerated(schema, entity) for schema in schemas))
        return Axis(name, entity, _subsets(sorted(names)))

    listed = frozenset[str]().union(*(enumerated(schema, "Concern") for schema in schemas))
    concerns = tuple(concern for concern in CONCERNS if concern in listed)
    return (
        Axis("level", "Level", LEVELS),
        sets("categories", "Category"),
        sets("jurisdictions", "Jurisdiction"),
        Axis("risk_tier", "RiskTier", RISK_TIERS),
        Axis("attack", "Concern", concerns),
        Axis("harm", "Concern", concerns),
        sets("redacted", "Category"),
    )


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


def ask(boundary: Boundary, org: str, lane: LaneSpec, questions: Sequence[Values]) -> list[Verdict]:
    """Put questions to the boundary: the one place where the space's values become what the boundary takes."""
    return boundary.ask([_question(org, lane, values) for values in questions])


def _question(org: str, lane: LaneSpec, values: Values) -> SendQuestion:
    return SendQuestion(
        org=org,
        lane=lane.name,
        label=label_of(values),
        tier=cast("RiskTier", values["risk_tier"]),
        attack=cast("Concern", values["attack"]),
        harm=cast("Concern", values["harm"]),
        redacted=cast("tuple[str, ...]", values["redacted"]),
    )


def kind_of(tenant: TenantSpec, lane: LaneSpec, spoken: frozenset[str]) -> tuple[str, str]:
    """Return what policies can tell a tenant and a lane by: their attributes, and their names where a policy names them."""
    unseen_tenant = _TENANT_UNSEEN if tenant.org in spoken else _TENANT_UNSEEN | {"org"}
    unseen_lane = _LANE_UNSEEN if lane.name in spoken else _LANE_UNSEEN | {"name"}
    return tenant.model_dump_json(exclude=set(unseen_tenant)), lane.model_dump_json(exclude=set(unseen_lane))
