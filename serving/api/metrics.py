"""What do operators watch? Counts and times of requests, decisions and attempts, by lane; never by text or person."""

import os
from pathlib import Path

import psutil
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_DECIDE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
_ANSWER_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_HELD_BUCKETS = (0.001, 0.005, 0.025, *_ANSWER_BUCKETS)

requests_total = Counter("lane_requests_total", "Requests ended, by how", ["ended", "status"])
decisions_total = Counter("lane_decisions_total", "Decisions made", ["route", "risk_tier", "lane"])
attempts_total = Counter("lane_attempts_total", "Attempts on a lane, by how they ended", ["lane", "ended"])
tokens_total = Counter("lane_tokens_total", "Tokens, by lane and direction", ["lane", "direction"])
cached_tokens_total = Counter(
    "lane_cached_tokens_total", "Of the input tokens, those that the lane had cached", ["lane"]
)
turns_total = Counter(
    "lane_turns_total", "Prompts of named sessions, by turn and by whether they stay private", ["turn", "stays_private"]
)
deep_scan_misses_total = Counter(
    "lane_deep_scan_misses_total", "Sends that the deep scan stopped after the fast scan had let them go", ["category"]
)
decide_seconds = Histogram("lane_decide_seconds", "Time of one decision", buckets=_DECIDE_BUCKETS)
first_token_seconds = Histogram(
    "lane_first_token_seconds", "Time to the first token", ["lane"], buckets=_ANSWER_BUCKETS
)
first_content_seconds = Histogram(
    "lane_first_content_seconds",
    "Time to the first piece that went out to the caller, by the stream rule that held it back",
    ["release", "risk_tier", "streamed"],
    buckets=_ANSWER_BUCKETS,
)
held_back_seconds = Histogram(
    "lane_held_back_seconds",
    "Of that, what passed after the lane's own first token",
    ["release", "risk_tier", "streamed"],
    buckets=_HELD_BUCKETS,
)
answer_seconds = Histogram("lane_answer_seconds", "Time of a whole request", buckets=_ANSWER_BUCKETS)
queue_depth = Gauge(
    "lane_queue_depth",
    "Requests that wait for a place on a full lane",
    ["lane", "priority"],
    multiprocess_mode="livesum",
)
queue_seconds = Histogram(
    "lane_queue_seconds", "Time waited for a place on a full lane", ["lane"], buckets=_ANSWER_BUCKETS
)
spilled_total = Counter("lane_spilled_total", "Requests sent on to their next lane by one that was full", ["lane"])
shed_total = Counter("lane_shed_total", "Requests that got no place on a full lane in their time", ["lane", "because"])
running_requests = Gauge("lane_running_requests", "Requests being answered", multiprocess_mode="livesum")


def count_turn(turn: int, *, private: bool) -> None:
    """Count a prompt of a named session."""
    turns_total.labels(turn_bucket(turn), str(private).lower()).inc()


def turn_bucket(turn: int) -> str:
    """Return the name under which a conversation's n-th turn is counted."""
    return next((name for name, last in (("1", 1), ("2", 2), ("3-5", 5), ("6-10", 10)) if turn <= last), "11+")


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all ingress replicas on this node and their content type.

    With `PROMETHEUS_MULTIPROC_DIR` set, replicas share a folder and any of them answers for all.
    """
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    _forget_the_dead(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def _forget_the_dead(folder: Path) -> None:
    """Drop the gauges of processes that are gone: a replica that was killed can't take back its last word."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        if not psutil.pid_exists(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
