"""What is demanded of an answer at this tier, on these topics?

A tier demands all that the tiers below it demand, and each topic adds its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from router.bundle.files import RISK_TIERS_BELOW, TierProfile
from router.bundle.files.demands import CHANGES, NO_LANE, SIDE_EFFECTS, Demand, SideEffect, join
from router.contract import Label, PolicyFired, RiskTier, Topic

STATE_CHANGING: Final = "state_changing"
"""The topic of requests that something be changed, beside the categories of data."""
PROFILE: Final = "profile-"
TOPIC: Final = "topic-"


@dataclass(frozen=True, slots=True)
class Demanded:
    """What is demanded, and the profile and topics that do."""

    demand: Demand
    fired: tuple[PolicyFired, ...]


@dataclass(frozen=True, slots=True)
class Demands:
    """The demands of a bundle. Equal questions are worked out once: there are few."""

    tiers: Mapping[RiskTier, Demand]
    topics: Mapping[str, Demand]
    _known: dict[tuple[RiskTier, tuple[str, ...]], Demanded] = field(default_factory=dict, compare=False, repr=False)

    def of(self, tier: RiskTier, label: Label, topic: Topic) -> Demanded:
        """Return what is demanded of an answer to a request of this tier and label, about this topic."""
        names = {*label.categories, *topic.regulated, *([STATE_CHANGING] if topic.state_changing else [])}
        return self.at(tier, tuple(name for name in self.topics if name in names))

    def at(self, tier: RiskTier, topics: tuple[str, ...]) -> Demanded:
        """Return what a tier and these topics, in the order of the file, demand together."""
        key = (tier, topics)
        if key not in self._known:
            named = [(f"{PROFILE}{tier}", f"at {tier} risk", self.tiers[tier])]
            named += [(topic_id(name), _where(name), self.topics[name]) for name in topics]
            fired = (
                PolicyFired(id=name, effect="profile", because=f"{when}: {'; '.join(said)}")
                for name, when, demand in named
                if (said := list(in_words(demand)))
            )
            self._known[key] = Demanded(join(demand for _, _, demand in named), tuple(fired))
        return self._known[key]


def _where(topic: str) -> str:
    return "where something is to be changed" if topic == STATE_CHANGING else f"where {topic} is touched"


def topic_id(name: str) -> str:
    """Return the ID under which a topic's demand speaks."""
    return f"{TOPIC}{name.replace('_', '-')}"


def demands_of(profiles: Iterable[TierProfile], topics: Mapping[str, Demand]) -> Demands:
    """Return the demands that profiles and topics make, each tier with those of the tiers below it."""
    given = {profile.tier: profile for profile in profiles}
    return Demands(
        {
            tier: join(given[each] for each in (*RISK_TIERS_BELOW[tier], tier) if each in given)
            for tier in RISK_TIERS_BELOW
        },
        {name: demand.demanded for name, demand in topics.items()},
    )


def in_words(demand: Demand) -> Iterator[str]:
    """Say what a demand demands, a clause each; nothing where it demands nothing."""
    if demand.lanes:
        yield "no lane may answer" if demand.lanes == NO_LANE else f"only {', '.join(demand.lanes)} may answer"
    if demand.temperature_at_most is not None:
        yield f"temperature at most {demand.temperature_at_most:g}"
    if demand.top_p_at_most is not None:
        yield f"top_p at most {demand.top_p_at_most:g}"
    yield from _help_in_words(demand)
    yield from _way_out_in_words(demand)


def _help_in_words(demand: Demand) -> Iterator[str]:
    if demand.retrieval is not None:
        yield f"context is looked up {'deeply' if demand.retrieval == 'deep' else 'at least lightly'}"
    if demand.citations:
        yield "it cites its sources"
    if demand.tools != SIDE_EFFECTS:
        yield f"tools may only {' or '.join(_VERBS[effect] for effect in demand.tools)}" if demand.tools else _NO_TOOL
    if demand.approvals != CHANGES:
        yield "a person approves every tool call"


def _way_out_in_words(demand: Demand) -> Iterator[str]:
    if demand.review:
        yield "a person looks at the answer first"
    match demand.stream.release:
        case "window":
            yield f"it goes out {demand.stream.window_tokens} tokens late"
        case "hold":
            yield "it goes out whole"
        case "live":
            pass
    if demand.disclaimer is not None:
        yield "a disclaimer is added"
    if demand.keep is not None:
        kept = "its text is kept" if demand.keep.text else "only hashes are kept"
        yield f"{kept}, for {demand.keep.days} days"
    if demand.checks:
        yield f"it is checked for {', '.join(demand.checks)}"


_VERBS: Final[dict[SideEffect, str]] = {"read": "read", "write": "write", "irreversible": "do what can't be undone"}
_NO_TOOL: Final = "no tool may be used"
