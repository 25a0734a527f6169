"""Do the demands of `tiers.yaml` name what there is, and can they be met together?"""

from collections.abc import Iterator
from itertools import chain

from router.boundary import enumerated
from router.bundle.demands import STATE_CHANGING, Demands, demands_of
from router.bundle.files.demands import NO_LANE, Demand, join
from router.bundle.files.lanes import LaneSpec
from router.bundle.references import unknown
from router.bundle.source import Source
from router.contract import RISK_TIERS, RiskTier

_FILE = "tiers.yaml"
_WEAKER = ("stream", "retrieval", "temperature_at_most", "top_p_at_most", "review", "citations", "tools", "approvals")
"""What a higher tier may not say less of: it would have no effect."""
_Place = tuple[str, tuple[str | int, ...], Demand]


def demand_findings(source: Source) -> None:
    """Note names that name nothing, demands that contradict each other, and those that nobody can meet."""
    if source.tiers is None:
        return
    _checks(source)
    for what, path, demand in _demands(source):
        _names(source, path, demand)
        _nobody_looks(source, what, path, demand)
        _seen_before(source, what, path, demand)
    _topics(source)
    _weaker(source)
    _no_lane(source)


def _demands(source: Source) -> Iterator[_Place]:
    assert source.tiers is not None
    for index, profile in enumerate(source.tiers.profiles):
        yield f"the tier `{profile.tier}`", ("profiles", index), profile
    for name, demand in source.tiers.topics.items():
        yield f"the topic `{name}`", ("topics", name), demand


def _checks(source: Source) -> None:
    """Each check has an ID of its own, and leads somewhere."""
    assert source.tiers is not None
    seen: set[str] = set()
    for index, check in enumerate(source.tiers.checks):
        if check.id in seen:
            line = source.line(_FILE, "checks", index)
            source.find(_FILE, line, f"check `{check.id}` is there twice", "give each an ID of its own")
        seen.add(check.id)
        if check.then == "person" and source.lanes is not None and not _people(source):
            line = source.line(_FILE, "checks", index, "then")
            message = f"check `{check.id}` puts an answer before a person, and no lane leads to people"
            source.find(
                _FILE, line, message, "add a lane with `people` to lanes.yaml and to the ladders, or say `refuse`"
            )


def _names(source: Source, path: tuple[str | int, ...], demand: Demand) -> None:
    assert source.tiers is not None
    checks = {check.id for check in source.tiers.checks}
    for at, name in enumerate(demand.checks):
        unknown(source, _FILE, source.line(_FILE, *path, "checks", at), "check", name, checks, "its `checks`")
    if source.lanes is None:
        return
    lanes = {lane.name for lane in source.lanes.lanes}
    for at, name in enumerate(demand.lanes):
        unknown(source, _FILE, source.line(_FILE, *path, "lanes", at), "lane", name, lanes, "lanes.yaml")
    if demand.index is not None:
        known = {index.name for index in source.lanes.indexes}
        line = source.line(_FILE, *path, "index")
        unknown(source, _FILE, line, "index", demand.index, known, "lanes.yaml, under `indexes`")


def _topics(source: Source) -> None:
    """A topic is a category that the boundary knows, or that something be changed."""
    assert source.tiers is not None
    if source.schema is None:
        return
    known = {*enumerated(source.schema, "Category"), STATE_CHANGING}
    for name in source.tiers.topics:
        line = source.line(_FILE, "topics", name)
        unknown(source, _FILE, line, "topic", name, known, "boundary/schema.cedarschema, as a category")


def _people(source: Source) -> list[LaneSpec]:
    return [lane for lane in source.lanes.lanes if lane.people is not None] if source.lanes else []


def _nobody_looks(source: Source, what: str, path: tuple[str | int, ...], demand: Demand) -> None:
    if demand.review and source.lanes is not None and not _people(source):
        message = f"{what} has a person look at every answer, and no lane leads to people"
        source.find(_FILE, source.line(_FILE, *path, "review"), message, "add a lane with `people` to lanes.yaml")


def _seen_before(source: Source, what: str, path: tuple[str | int, ...], demand: Demand) -> None:
    """A stream rule that is said aloud and can't be kept."""
    if demand.review and "stream" in demand.model_fields_set and demand.stream.release != "hold":
        message = f"{what} lets pieces of the answer go out ({demand.stream.release}) before a person has looked at it"
        source.find(_FILE, source.line(_FILE, *path, "stream"), message, "say `stream: hold`, or leave it out")


def _weaker(source: Source) -> None:
    """A tier demands what the lower ones do: what it says less of has no effect, whatever its author thought."""
    assert source.tiers is not None
    given = {profile.tier: (index, profile) for index, profile in enumerate(source.tiers.profiles)}
    below: Demand = Demand()
    for tier in (tier for tier in RISK_TIERS if tier in given):
        index, profile = given[tier]
        both = join([below, profile])
        for name in _WEAKER:
            if name in profile.model_fields_set and getattr(both, name) != getattr(profile, name):
                line = source.line(_FILE, "profiles", index, name)
                message = f"the tier `{tier}` asks for less than a tier below it: its `{name}` has no effect"
                source.find(_FILE, line, message, "make it at least as strict, or leave it out")
        below = both


def _no_lane(source: Source) -> None:
    """Every tier, alone and with each topic, must leave a lane; a finding for two that leave none."""
    assert source.tiers is not None
    demands: Demands = demands_of(source.tiers.profiles, source.tiers.topics)
    given = [tier for tier in RISK_TIERS if any(profile.tier == tier for profile in source.tiers.profiles)]
    alone = ((tier, ()) for tier in given)
    with_topic = ((tier, (name,)) for tier in given for name in demands.topics)
    for tier, topics in chain(alone, with_topic):
        if demands.at(tier, topics).demand.lanes == NO_LANE and not _reported(demands, tier, topics):
            about = f" and the topic `{topics[0]}`" if topics else " and those below it"
            place: tuple[str | int, ...] = ("topics", topics[0], "lanes") if topics else ("profiles",)
            message = f"the lanes of the tier `{tier}`{about} have none in common: nothing may answer"
            source.find(_FILE, source.line(_FILE, *place), message, "leave them a lane to share")


def _reported(demands: Demands, tier: RiskTier, topics: tuple[str, ...]) -> bool:
    """Whether a part of these leaves no lane already, or a lower tier with the same topic."""
    index = RISK_TIERS.index(tier)
    lower = RISK_TIERS[index - 1] if index else None
    tier_alone = bool(topics) and demands.at(RISK_TIERS[index], ()).demand.lanes == NO_LANE
    return tier_alone or (
        lower is not None and lower in demands.tiers and demands.at(lower, topics).demand.lanes == NO_LANE
    )
