"""How often was the boundary wrong, either way, by category? From strata, samples and verdicts to rates. Pure.

A *leak* left and should have stayed. A *false block* stayed because of what was found, and need not have. By category: of all that left,
what share held data of that category that should have stayed; of all that stayed with that category in its label, what share need not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from serving.leaks.estimate import Estimate, Tally, estimate
from serving.leaks.samples import Counted
from serving.leaks.verdicts import Verdict

ANY: Final = "any"
Measure = Literal["leak", "false_block"]


@dataclass(frozen=True, slots=True)
class Rate:
    """One row: a measure, a category (`any` for all), its estimate, and how many of the samples could not be judged."""

    measure: Measure
    category: str
    estimate: Estimate
    undecided: int


def rates(strata: Iterable[Counted], verdicts: Mapping[str, Verdict]) -> list[Rate]:
    """Return the leak rates, then the false-block rates: over all, then by each category that a verdict or a label names."""
    counted = tuple(strata)
    left = [one for one in counted if one.stratum.population == "left"]
    stayed = [one for one in counted if one.stratum.population == "stayed"]
    leaked = sorted(
        {
            name
            for one in left
            for sample in one.samples
            if (given := verdicts.get(sample.id))
            for name in given.categories
        }
    )
    kept = sorted({name for one in stayed for name in one.stratum.categories})
    return [
        *(_leaks(left, verdicts, category) for category in (ANY, *leaked)),
        *(_false_blocks(stayed, verdicts, category) for category in (ANY, *kept)),
    ]


def _leaks(left: list[Counted], verdicts: Mapping[str, Verdict], category: str) -> Rate:
    def leaked(verdict: Verdict) -> bool:
        return verdict.stays is True and (category in (ANY, *verdict.categories))

    return _rate(
        "leak", category, [(one, [leaked(given) for given in _judged(one, verdicts)]) for one in left], verdicts
    )


def _false_blocks(stayed: list[Counted], verdicts: Mapping[str, Verdict], category: str) -> Rate:
    concerned = [one for one in stayed if category in (ANY, *one.stratum.categories)]
    found = [(one, [given.stays is False for given in _judged(one, verdicts)]) for one in concerned]
    return _rate("false_block", category, found, verdicts)


def _rate(
    measure: Measure, category: str, found: list[tuple[Counted, list[bool]]], verdicts: Mapping[str, Verdict]
) -> Rate:
    # What was too large to keep is a stratum that nobody judged: it lowers what is covered.
    tallies = [Tally(one.seen, len(wrong), sum(wrong)) for one, wrong in found]
    tallies += [Tally(one.too_large, 0, 0) for one, _ in found if one.too_large]
    undecided = sum(
        (given := verdicts.get(sample.id)) is not None and given.stays is None
        for one, _ in found
        for sample in one.samples
    )
    return Rate(measure, category, estimate(tallies), undecided)


def _judged(one: Counted, verdicts: Mapping[str, Verdict]) -> list[Verdict]:
    """The verdicts of a stratum's samples. Those that can't be told are left out, as if they had not been drawn."""
    given = (verdicts.get(sample.id) for sample in one.samples)
    return [verdict for verdict in given if verdict is not None and verdict.stays is not None]


def to_judge(strata: Iterable[Counted], verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return the samples still to be judged, by their IDs: turn by turn one of each stratum, in the order of their draws.

    Whoever stops early then has judged a fair sample of every stratum, and something of each.
    """
    queues = [
        [sample.id for sample in one.samples if sample.sealed is not None and sample.id not in verdicts]
        for one in strata
    ]
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
