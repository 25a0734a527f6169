"""Who and what is there to ask about? The bundle's tenants, lanes, tools, indexes and stores, as Cedar's entities.

The protocols say what the boundary knows of each; the shapes of `router.bundle.files` have it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from router.boundary.question import user_name
from router.boundary.vocabulary import Json, Vocabulary, reference, uid
from router.contract import LEVELS, Label, Level

HOME: Final = "home"
"""The provider of a private lane: nobody but us."""


class HostedFacts(Protocol):
    """A hosted lane's other end."""

    @property
    def provider(self) -> str: ...


class LaneFacts(Protocol):
    """A lane: where a text may be answered."""

    @property
    def name(self) -> str: ...
    @property
    def hosted(self) -> HostedFacts | None: ...
    @property
    def where(self) -> str: ...
    @property
    def jurisdictions(self) -> tuple[str, ...]: ...
    @property
    def cleared_for(self) -> tuple[str, ...]: ...
    @property
    def redact(self) -> tuple[str, ...]: ...


class UserFacts(Protocol):
    """A key: who asks, and what that one may see and approve."""

    @property
    def id(self) -> str: ...
    @property
    def clearance(self) -> Level: ...
    @property
    def approves(self) -> bool: ...


class TenantFacts(Protocol):
    """A tenant."""

    @property
    def org(self) -> str: ...
    @property
    def clearance(self) -> Level: ...
    @property
    def keys(self) -> tuple[UserFacts, ...]: ...


class ToolFacts(Protocol):
    """A tool: its arguments are a way out if it reaches outside."""

    @property
    def name(self) -> str: ...
    @property
    def side_effect(self) -> str: ...
    @property
    def reaches_outside(self) -> bool: ...
    @property
    def jurisdictions(self) -> tuple[str, ...]: ...


class IndexFacts(Protocol):
    """An index: what its passages hold, and where it is kept."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> Label: ...
    @property
    def jurisdictions(self) -> tuple[str, ...]: ...


class StoreFacts(Protocol):
    """A store: where evidence rests."""

    @property
    def name(self) -> str: ...
    @property
    def jurisdictions(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a question can name."""

    lanes: Collection[LaneFacts]
    tenants: Collection[TenantFacts]
    tools: Collection[ToolFacts] = ()
    indexes: Collection[IndexFacts] = ()
    stores: Collection[StoreFacts] = ()


def entities_of(house: House, vocabulary: Vocabulary) -> list[Json]:
    """Return all of them, in Cedar's JSON."""
    return [*_tenants(house), *_lanes(house, vocabulary), *_things(house, vocabulary)]


def _entity(kind: str, name: str, attributes: Json, *parents: Json) -> Json:
    return {"uid": uid(kind, name), "attrs": attributes, "parents": list(parents)}


def _clears(level: Level) -> list[Json]:
    """Every level up to this one: Cedar compares names, not heights."""
    return [reference("Level", lower) for lower in LEVELS[: LEVELS.index(level) + 1]]


def _tenants(house: House) -> Iterator[Json]:
    for tenant in house.tenants:
        yield _entity("Tenant", tenant.org, {"clears": _clears(tenant.clearance)})
        for key in tenant.keys:
            attributes = {
                "clears": _clears(min(tenant.clearance, key.clearance, key=LEVELS.index)),
                "approves": key.approves,
            }
            yield _entity("User", user_name(tenant.org, key.id), attributes, uid("Tenant", tenant.org))


def _lanes(house: House, vocabulary: Vocabulary) -> Iterator[Json]:
    providers, regions = set[str](), set[str]()
    for lane in house.lanes:
        provider = lane.hosted.provider if lane.hosted is not None else HOME
        providers.add(provider)
        regions.add(lane.where)
        attributes = {
            "hosted": lane.hosted is not None,
            "provider": reference("Provider", provider),
            "region": reference("Region", lane.where),
            "jurisdictions": vocabulary.granted_jurisdictions(lane.jurisdictions),
            "cleared_for": vocabulary.granted_categories(lane.cleared_for),
            "redacts": vocabulary.granted_categories(lane.redact),
        }
        yield _entity("Lane", lane.name, attributes)
    yield from (_entity("Provider", name, {}) for name in sorted(providers))
    yield from (_entity("Region", name, {}) for name in sorted(regions))


def _things(house: House, vocabulary: Vocabulary) -> Iterator[Json]:
    for tool in house.tools:
        attributes: Json = {
            "side_effect": reference("SideEffect", tool.side_effect),
            "reaches_outside": tool.reaches_outside,
            "jurisdictions": vocabulary.granted_jurisdictions(tool.jurisdictions),
        }
        yield _entity("Tool", tool.name, attributes)
    for index in house.indexes:
        attributes = {
            "level": reference("Level", index.label.level),
            "categories": vocabulary.held_categories(index.label.categories),
            "jurisdictions": vocabulary.granted_jurisdictions(index.jurisdictions),
        }
        yield _entity("Index", index.name, attributes)
    for store in house.stores:
        attributes = {"jurisdictions": vocabulary.granted_jurisdictions(store.jurisdictions)}
        yield _entity("Store", store.name, attributes)
