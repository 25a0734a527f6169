"""Why does a vLLM worker get a session of its own? So that whatever runs beside it gets its share of the processors.

Linux schedules by session ("autogroup"). While an engine answers, its core process spins on one processor and its worker computes on
another: a session on both, whose weight on each changes by the millisecond. Linux 6.18 loses the session's run time with each change, so
that all other sessions starve, and a second engine takes minutes to start (`docs/serving.md` has what was measured).
"""

import logging
import multiprocessing
import os

log = logging.getLogger(__name__)


def part_worker() -> None:
    """Called by vLLM in each process of an engine (entry point `vllm.general_plugins`): a worker leaves its parent's session."""
    if not multiprocessing.current_process().name.startswith("VllmWorker"):
        return
    try:
        os.setsid()
    except OSError as error:  # It leads a session already.
        log.debug("no session of its own: %s", error)
