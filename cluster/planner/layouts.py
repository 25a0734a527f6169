"""Which layouts of a model fit a node's GPUs, how fast is each, and what are the others short of?

The layout that a profile was measured with is as fast as it was measured. The others are reckoned by the roofline, corrected by how far
that was off for the measured one, reading and writing each.
"""

from dataclasses import dataclass, replace

from typing_extensions import override

from cluster.planner.capacity import Option
from cluster.planner.efficiencies import calibration
from cluster.planner.fitted import limits_of, steps_from
from cluster.planner.remembered import Remembered
from cluster.planner.replica import EngineLimits
from cluster.planner.roofline import roofline
from cluster.planner.steps import Provenance, StepTimes
from cluster.profile import Profile
from models.catalogue import Entry
from models.fit import Fit, NoLayout, Wish, fit, layouts
from models.gpus import Gpu
from models.memory import GIB, Layout


def options_of(
    entry: Entry, gpu: Gpu, most: int, wish: Wish, profile: Profile | None
) -> tuple[list[Option], list[tuple[str, str]]]:
    """Return each power of two of GPUs up to a node's that fits; pipelines only where tensor parallelism alone does not."""
    fits, unfit = _fits(entry, gpu, most, wish, pipelines=False)
    if not fits:
        fits, more = _fits(entry, gpu, most, wish, pipelines=True)
        unfit += more
    engines = {one.layout.name: roofline(entry.name, entry.architecture, gpu, one, calibration()) for one in fits}
    limits = EngineLimits(max_batched_tokens=wish.batched_tokens)
    options = [Option(one.layout.name, one.layout.gpus, Remembered(engines[one.layout.name]), limits) for one in fits]
    if profile is None:
        return options, unfit
    seen = measured(_with_capacity(profile, entry, gpu, wish))
    if seen.layout not in engines:
        return [seen, *options], unfit
    off = _off(profile, seen.times, engines[seen.layout])
    corrected = (replace(option, times=Remembered(replace(off, times=engines[option.layout]))) for option in options)
    return [seen if option.layout == seen.layout else option for option in corrected], unfit


def measured(profile: Profile) -> Option:
    """Return the layout that was measured."""
    layout = _layout_of(profile)
    return Option(layout.name, layout.gpus, steps_from(profile), limits_of(profile))


def _layout_of(profile: Profile) -> Layout:
    def ranks(argument: str) -> int:
        said = profile.engine.get(argument)
        return said if isinstance(said, int) and not isinstance(said, bool) else 1

    return Layout(ranks("tensor_parallel_size"), ranks("pipeline_parallel_size"))


def _with_capacity(profile: Profile, entry: Entry, gpu: Gpu, wish: Wish) -> Profile:
    """Return the profile with what its engine's cache holds, reckoned for the settings that were measured where it does not say."""
    if profile.kv_capacity_tokens is not None:
        return profile
    share = profile.engine.get("gpu_memory_utilization")
    as_measured = replace(
        wish,
        sequences=profile.max_num_seqs or wish.sequences,
        batched_tokens=profile.max_num_batched_tokens or wish.batched_tokens,
        utilization=share if isinstance(share, float) else wish.utilization,
    )
    found = fit(entry.architecture, gpu, _layout_of(profile), as_measured)
    return profile.model_copy(update={"kv_capacity_tokens": int(found.kv_capacity.value)})


@dataclass(frozen=True, slots=True)
class Corrected(StepTimes):
    """Step times, longer or shorter by what was seen of another layout of the same model."""

    times: StepTimes
    reading: float
    writing: float

    @property
    @override
    def kv_capacity_tokens(self) -> int:
        return self.times.kv_capacity_tokens

    @property
    @override
    def max_batch(self) -> int:
        return self.times.max_batch

    @property
    @override
    def error_factor(self) -> float:
        return self.times.error_factor

    @property
    @override
    def provenance(self) -> Provenance:
        return self.times.provenance

    @override
    def prefill_seconds(self, tokens: int, context: int) -> float:
        return self.reading * self.times.prefill_seconds(tokens, context)

    @override
    def decode_seconds(self, batch: int, context_tokens: int) -> float:
        return self.writing * self.times.decode_seconds(batch, context_tokens)


def _off(profile: Profile, seen: StepTimes, said: StepTimes) -> Corrected:
    """Return how far the roofline is off at the profile's busiest level."""
    busiest = max(profile.points, key=lambda point: point.concurrency)
    prompt, batch = max(1, round(busiest.input_tokens)), max(1, round(busiest.concurrency))
    context = round(batch * (busiest.input_tokens + busiest.output_tokens / 2))
    return Corrected(
        said,
        reading=seen.prefill_seconds(prompt, 0) / said.prefill_seconds(prompt, 0),
        writing=seen.decode_seconds(batch, context) / said.decode_seconds(batch, context),
    )


def _fits(entry: Entry, gpu: Gpu, most: int, wish: Wish, *, pipelines: bool) -> tuple[list[Fit], list[tuple[str, str]]]:
    fits, unfit = [], []
    for layout in layouts(entry.architecture, 1 << (most.bit_length() - 1)):
        match layout:
            case NoLayout(impossible, because):
                if (impossible.pipeline > 1) == pipelines:
                    unfit.append((impossible.name, because))
            case Layout() if (layout.pipeline > 1) == pipelines:
                found = fit(entry.architecture, gpu, layout, wish)
                if found.fits:
                    fits.append(found)
                else:
                    unfit.append((layout.name, _short(found)))
            case Layout():
                pass
    return fits, unfit


def _short(found: Fit) -> str:
    return (
        f"{found.short_bytes / GIB:.1f} GiB a GPU are missing for one request of {found.wish.context:,} tokens beside "
        f"{found.weights.gib:.1f} GiB of weights"
    )
