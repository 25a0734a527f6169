from dataclasses import dataclass, field

from serving.private.vitals import Vitals, VitalsLog


@dataclass
class PrefixCache:
    """Of vLLM's `PrefixCacheStats`, what is read: tokens since the step before."""

    queries: int = 100
    hits: int = 64


@dataclass
class Scheduler:
    """What vLLM's `SchedulerStats` says, in its own names."""

    num_running_reqs: int = 2
    num_waiting_reqs: int = 3
    num_skipped_waiting_reqs: int = 1
    kv_cache_usage: float = 0.25
    prefix_cache_stats: PrefixCache | None = field(default_factory=PrefixCache)


@dataclass
class Iteration:
    """Of vLLM's `IterationStats`, what is read."""

    num_prompt_tokens: int = 100
    num_generation_tokens: int = 2
    num_preempted_reqs: int = 1
    finished_requests: list[object] = field(default_factory=lambda: [object()])


def test_each_step_replaces_what_is_now_and_adds_to_what_was_done() -> None:
    log = VitalsLog()

    log.record(Scheduler(), Iteration())
    log.record(
        Scheduler(num_running_reqs=0, num_waiting_reqs=0, num_skipped_waiting_reqs=0, kv_cache_usage=0.0), Iteration()
    )

    assert log.vitals == Vitals(0, 0, 0.0, 200, 4, 2, 2, 200, 128)


def test_a_step_may_leave_either_half_out() -> None:
    log = VitalsLog()

    log.record(Scheduler(), None)
    log.record(None, Iteration())

    assert log.vitals == Vitals(2, 4, 0.25, 100, 2, 1, 1, 100, 64)
