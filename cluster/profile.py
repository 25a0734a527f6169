"""What was measured of a model on a machine? `lane bench run` writes it, the planner and the autoscaler read it.

Profiles lie in `<home>/profiles/<model>/<time>.json`; `cluster.planner.profiles` says which counts.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from router.contract import Frozen
from router.errors import RouterError


class ProfileUnreadable(RouterError):
    """A profile's file holds something else; the message says which and what."""

    code = "profile_unreadable"
    exit_code = 2


class Fingerprint(Frozen):
    """The machine that was measured: figures of another one are no measurement of this one.

    `gpu` is a class of `models.gpus`, or `cpu`; `versions` by distribution (vllm, torch, ray, ...). `cpu_flags`: the instruction
    sets that decide how fast a CPU multiplies. `gpu_names` as the driver says them.
    """

    gpu: str
    gpu_count: int = Field(ge=0)
    processor: str
    cores: int = Field(ge=1)
    memory_bytes: int = Field(ge=1)
    cpu_flags: tuple[str, ...] = ()
    driver: str | None = None
    gpu_names: tuple[str, ...] = ()
    system: str = ""
    versions: dict[str, str] = Field(default_factory=dict)


class Quantiles(Frozen):
    """Seconds at the 50th, 95th and 99th percentile, and the mean."""

    p50: float
    p95: float
    p99: float
    mean: float


class Point(Frozen):
    """One steady state: `concurrency` requests open all the time (or `rate` requests a second offered), lengths in tokens (means).

    `shapes`: prompt and answer tokens of each request, in the order they were sent. `goodput_requests_per_second`: those answered
    within every bound of the profile's `slo`; `slo_met`: each bound's percentile holds, a failed one counted as waiting for ever.
    None: there was none, or it can't be read here.
    """

    concurrency: float = Field(gt=0)
    rate: float | None = Field(default=None, gt=0)
    input_tokens: float = Field(ge=0)
    output_tokens: float = Field(gt=0)
    requests: int = Field(ge=1)
    failed: int = Field(default=0, ge=0)
    seconds: float = Field(gt=0)
    output_tokens_per_second: float = Field(ge=0)
    ttft: Quantiles
    tpot: Quantiles
    end_to_end: Quantiles
    kv_use: float | None = Field(default=None, ge=0, le=1)
    prefix_hits: float | None = Field(default=None, ge=0, le=1)
    itl: Quantiles | None = None
    input_tokens_per_second: float | None = None
    requests_per_second: float | None = None
    goodput_requests_per_second: float | None = None
    slo_met: bool | None = None
    cpu_watts: float | None = None
    gpu_watts: float | None = None
    shapes: tuple[tuple[int, int], ...] = ()


def levels_of(points: Iterable[Point]) -> list[Point]:
    """Return each level of concurrency once, in order: of the rounds that it was measured in the one of median throughput."""
    rounds: dict[float, list[Point]] = {}
    for point in points:
        if point.rate is None:
            rounds.setdefault(point.concurrency, []).append(point)
    return [
        sorted(rounds[level], key=lambda point: point.output_tokens_per_second)[(len(rounds[level]) - 1) // 2]
        for level in sorted(rounds)
    ]


class StepFit(Frozen):
    """The few figures that say how long a step of this engine takes, fitted to the points (`cluster.planner.fitted`). Seconds.

    A step that reads prompts costs `prefill_step`, `prefill_token` a token and `prefill_pair` for each token and each one before it;
    one that writes costs `decode_step`, `decode_sequence` a sequence and `decode_context` a token of context.
    `errors`: median relative error over the points, by measure. `error_factor`: nine of ten points lie within it, up or down.
    """

    prefill_step: float = Field(ge=0)
    prefill_token: float = Field(ge=0)
    prefill_pair: float = Field(ge=0)
    decode_step: float = Field(ge=0)
    decode_sequence: float = Field(ge=0)
    decode_context: float = Field(ge=0)
    errors: dict[str, float] = Field(default_factory=dict)
    error_factor: float = Field(default=1.0, ge=1)


class Profile(Frozen):
    """Every steady state that was measured in one run, and what it was measured on.

    `side`: as clients see the lane, or the engine's own server. `kv_capacity_tokens`: what the engine's cache holds.
    `precision`: of the weights, in `models.memory`'s terms.
    """

    schema_version: Literal[1] = 1
    model: str
    weights_hash: str
    side: Literal["lane", "engine"]
    at: str = Field(description="UTC, ISO 8601")
    machine: Fingerprint
    dtype: str
    precision: str | None = None
    engine: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_capacity_tokens: int | None = None
    start_seconds: float | None = None
    points: tuple[Point, ...] = Field(min_length=1)
    knee_concurrency: float | None = None
    slo: str | None = None
    lengths: str = ""
    seed: int = 0
    fit: StepFit | None = None


def read_profile(file: Path) -> Profile:
    """Read one profile. Raises `ProfileUnreadable`."""
    try:
        return Profile.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ProfileUnreadable(f"{file}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ProfileUnreadable(f"{file}: {where}: {first['msg']}; `lane bench run` writes profiles") from error


def profiles_of(folder: Path, model: str) -> tuple[Profile, ...]:
    """Return a model's profiles, the newest first: files are named by their time. Raises `ProfileUnreadable`."""
    return tuple(read_profile(file) for file in sorted((folder / model).glob("*.json"), reverse=True))
