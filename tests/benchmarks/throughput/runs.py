"""Runs as the benchmark leaves them, with figures that a test sets."""

from collections.abc import Sequence

from benchmarks.throughput.measures import quantiles
from benchmarks.throughput.report import Report, Requests
from cluster.planner.steady import Sample
from cluster.profile import Fingerprint, Point, Profile

MACHINE = Fingerprint(gpu="cpu", gpu_count=0, processor="a processor", cores=2, memory_bytes=2**34)


def a_sample(started: float = 0.0, **changes: float) -> Sample:
    fields = {"input_tokens": 100, "output_tokens": 11, "ttft": 0.5, "end_to_end": 1.5} | changes
    return Sample(started=started, **fields)  # type: ignore[arg-type]


def a_point(samples: Sequence[Sample], concurrency: int, tokens_per_second: float, **changes: object) -> Point:
    fields = {
        "concurrency": concurrency,
        "input_tokens": 100,
        "output_tokens": 11,
        "requests": len(samples),
        "seconds": 10,
        "output_tokens_per_second": tokens_per_second,
        "ttft": quantiles([sample.ttft for sample in samples]),
        "tpot": quantiles([sample.tpot for sample in samples]),
        "end_to_end": quantiles([sample.end_to_end for sample in samples]),
    }
    return Point.model_validate(fields | changes)


def a_profile(points: Sequence[Point], **changes: object) -> Profile:
    fields = {
        "model": "a-model",
        "weights_hash": "ab" * 32,
        "side": "lane",
        "at": "2026-11-24T18:00:00+00:00",
        "machine": MACHINE,
        "dtype": "bfloat16",
        "engine": {"block_size": 32, "enforce_eager": True},
        "max_num_seqs": 128,
        "max_num_batched_tokens": 2048,
        "kv_capacity_tokens": 46592,
        "points": tuple(points),
        "lengths": "100 tokens in, 11 out",
    }
    return Profile.model_validate(fields | changes)


def a_report(levels: dict[int, Sequence[Sample]], **changes: object) -> Report:
    points = [a_point(samples, level, 20.0 * level) for level, samples in levels.items()]
    requests = tuple(Requests.of(samples) for samples in levels.values())
    return Report(profile=a_profile(points, **changes), requests=requests, load_tool="a load tool")
