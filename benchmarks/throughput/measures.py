"""What do the figures of one level say? The load tool's report becomes samples, times a level's percentiles."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from benchmarks.throughput.orders import Answered
from cluster.planner.steady import Sample
from cluster.profile import Quantiles


def samples_of(answered: Answered) -> tuple[Sample, ...]:
    """Return the requests that were answered, in the order they started."""
    rows = zip(
        answered.start_times,
        answered.input_lens,
        answered.output_lens,
        answered.ttfts,
        answered.latencies,
        answered.itls,
        answered.errors,
        strict=True,
    )
    good = [Sample(*figures) for *figures, error in rows if not error and figures[2] > 0]
    return tuple(sorted(good, key=lambda sample: sample.started))


def quantiles(values: Sequence[float]) -> Quantiles:
    """Return the percentiles that a profile keeps."""
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    return Quantiles(p50=p50, p95=p95, p99=p99, mean=fmean(values))
