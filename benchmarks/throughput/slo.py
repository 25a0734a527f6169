"""Which requests were answered as promised? A service level's terms (`cluster.planner.slo`), held against single requests."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from cluster.planner.slo import Term, parse_slo
from cluster.planner.steady import Sample, Steady
from router.errors import BadRequest

_OF_REQUESTS: Final = {
    "ttft": lambda sample: sample.ttft,
    "tpot": lambda sample: sample.tpot,
    "e2e": lambda sample: sample.end_to_end,
}

_NEVER_SECONDS: Final = 1e9
"""What a request that failed has its caller wait: finite, so that percentiles can run straight up to it."""


def parse_terms(text: str) -> tuple[Term, ...]:
    """Parse `ttft_p95=1s,tpot_p95=40ms`. Raises `BadRequest`, also for waits that no client can tell of one request."""
    terms = parse_slo(text).terms
    for term in terms:
        if term.metric not in _OF_REQUESTS:
            known = ", ".join(_OF_REQUESTS)
            raise BadRequest(f"--slo: {term.name} can't be measured from outside for each request; {known} can", "slo")
    return terms


def seconds_of(sample: Sample, term: Term) -> float:
    """Return how long this request waited in the term's sense."""
    return float(_OF_REQUESTS[term.metric](sample))


def goodput(steady: Steady, terms: Sequence[Term]) -> float:
    """Return the requests a second that were answered within every term: what a user would call served."""
    good = sum(all(seconds_of(sample, term) <= term.seconds for term in terms) for sample in steady.samples)
    return steady.requests_per_second * good / len(steady.samples)


def holds(steady: Steady, terms: Sequence[Term], failed: int = 0) -> bool:
    """Say whether each term's percentile (or mean) is within its time; a request that failed kept nobody's time."""
    return all(_at(steady, term, failed) <= term.seconds for term in terms)


def _at(steady: Steady, term: Term, failed: int) -> float:
    waits = [seconds_of(sample, term) for sample in steady.samples] + [_NEVER_SECONDS] * failed
    return float(np.mean(waits) if term.percentile is None else np.percentile(waits, term.percentile))
