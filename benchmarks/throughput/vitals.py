"""How full was the engine's cache, and how much of the prompts did it hold already? Read from its metrics while the load is on."""

import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx2

_LINE: Final = re.compile(r"^(?:ray_)?vllm[:_](?P<name>\w+)(?:\{[^}]*\})?\s+(?P<value>[-+.\deE]+)\s*$", re.MULTILINE)
_USE: Final = "kv_cache_usage_perc"
_QUERIES: Final = "prefix_cache_queries_total"
_HITS: Final = "prefix_cache_hits_total"
_EVERY_SECONDS: Final = 0.5

Scrape = Callable[[], str | None]
"""Returns an engine's metrics in Prometheus' text form, or None where they can't be had now."""


@dataclass(slots=True)
class Vitals:
    """What was read of the engine over one level. None: its metrics could not be read."""

    kv_use: float | None = None
    prefix_hits: float | None = None


def metrics_in(text: str) -> dict[str, float]:
    """Return vLLM's metrics by name, several engines of one name added up (a share: the fullest one's)."""
    found: dict[str, float] = {}
    for match in _LINE.finditer(text):
        name, value = match["name"], float(match["value"])
        found[name] = max(found.get(name, 0.0), value) if name == _USE else found.get(name, 0.0) + value
    return found


def scraped(address: str) -> Scrape:
    """Read metrics over HTTP."""

    def scrape() -> str | None:
        try:
            answer = httpx2.get(address, timeout=5.0, trust_env=False)
        except httpx2.HTTPError:
            return None
        return answer.text if answer.status_code == httpx2.codes.OK else None

    return scrape


@contextmanager
def watched(scrape: Scrape) -> Generator[Vitals]:
    """Read the metrics twice a second while the block runs; what they said is there when it has ended."""
    vitals, ended = Vitals(), threading.Event()
    before = metrics_in(scrape() or "")
    uses: list[float] = []

    def watch() -> None:
        while not ended.wait(_EVERY_SECONDS):
            seen = metrics_in(scrape() or "")
            if _USE in seen:
                uses.append(seen[_USE])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield vitals
    finally:
        ended.set()
        thread.join(10)
        after = metrics_in(scrape() or "")
        vitals.kv_use = max(uses, default=None)
        if _QUERIES in after:
            asked = after[_QUERIES] - before.get(_QUERIES, 0.0)
            hit = after.get(_HITS, 0.0) - before.get(_HITS, 0.0)
            vitals.prefix_hits = hit / asked if asked > 0 else 0.0
