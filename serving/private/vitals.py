"""How is an engine? What its scheduler said last, and everything that it has done so far.

`VitalsLog` is one of vLLM's stat loggers by shape alone (`AsyncLLM(stat_loggers=[...])` calls it after each step), so this knows no vLLM.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Vitals:
    """An engine at one moment. `kv_use` is a share (0 to 1); the totals only rise, and prompt tokens count once a prompt is through."""

    running: int = 0
    waiting: int = 0
    kv_use: float = 0.0
    prompt_tokens_total: int = 0
    generated_tokens_total: int = 0
    finished_total: int = 0
    preemptions_total: int = 0
    prefix_queried_tokens_total: int = 0
    prefix_hit_tokens_total: int = 0

    def plus(self, scheduler: Any | None, iteration: Any | None) -> "Vitals":
        """Return what is known after one more step: vLLM's `SchedulerStats` and `IterationStats`, either of which may be missing."""
        prefix = None if scheduler is None else scheduler.prefix_cache_stats
        return Vitals(
            running=self.running if scheduler is None else scheduler.num_running_reqs,
            waiting=self.waiting
            if scheduler is None
            else scheduler.num_waiting_reqs + scheduler.num_skipped_waiting_reqs,
            kv_use=self.kv_use if scheduler is None else scheduler.kv_cache_usage,
            prompt_tokens_total=self.prompt_tokens_total + (iteration.num_prompt_tokens if iteration else 0),
            generated_tokens_total=self.generated_tokens_total + (iteration.num_generation_tokens if iteration else 0),
            finished_total=self.finished_total + (len(iteration.finished_requests) if iteration else 0),
            preemptions_total=self.preemptions_total + (iteration.num_preempted_reqs if iteration else 0),
            prefix_queried_tokens_total=self.prefix_queried_tokens_total + (prefix.queries if prefix else 0),
            prefix_hit_tokens_total=self.prefix_hit_tokens_total + (prefix.hits if prefix else 0),
        )


class VitalsLog:
    """Keeps the newest vitals of one engine."""

    def __init__(self) -> None:
        self.vitals = Vitals()

    def record(
        self, scheduler_stats: Any | None, iteration_stats: Any | None, mm_cache_stats: Any = None, engine_idx: int = 0
    ) -> None:
        """Take in what vLLM says after a step."""
        self.vitals = self.vitals.plus(scheduler_stats, iteration_stats)

    def log(self) -> None:
        """Nothing is printed: vLLM's own logger does that."""

    def log_engine_initialized(self) -> None:
        """Nothing is printed here either."""

    def record_sleep_state(self, is_awake: int, level: int) -> None:
        """Engines here do not sleep."""
