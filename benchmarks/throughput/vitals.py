"""How full was the engine's cache, and how much of the prompts did it hold already? Read from its metrics while the load is on."""

import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx2

_LINE: Final = re.compile(r"^(?P<name>[\w:]+)(?:\{(?P<labels>[^}]*)\})?\s+(?P<value>[-+.\deE]+)\s*$", re.MULTILINE)
_MODEL: Final = re.compile(r'\bmodel(?:_name)?="(?P<model>[^"]*)"')
_CAPACITY: Final = re.compile(r'^vllm:cache_config_info\{.*\bkv_cache_size_tokens="(?P<tokens>[1-9]\d*)"', re.MULTILINE)
_NAMES: Final = {
    "lane_engine_kv_use": "use",
    "vllm:kv_cache_usage_perc": "use",
    "lane_engine_prefix_queried_tokens_total": "queries",
    "vllm:prefix_cache_queries_total": "queries",
    "lane_engine_prefix_hit_tokens_total": "hits",
    "vllm:prefix_cache_hits_total": "hits",
}
"""What the ingress shows of the lane's engines, and what a bare server shows of its own."""
_EVERY_SECONDS: Final = 0.5

Scrape = Callable[[], str | None]
"""Returns an engine's metrics in Prometheus' text form, or None where they can't be had now."""


@dataclass(slots=True)
class Vitals:
    """What was read of the engine over one level. None: its metrics could not be read."""

    kv_use: float | None = None
    prefix_hits: float | None = None


def metrics_in(text: str, model: str) -> dict[str, float]:
    """Return a model's `use`, `queries` and `hits`, several engines added up (of the shares: the fullest one's)."""
    found: dict[str, float] = {}
    for match in _LINE.finditer(text):
        name, of = _NAMES.get(match["name"]), _MODEL.search(match["labels"] or "")
        if name is None or of is None or of["model"] != model:
            continue
        value = float(match["value"])
        found[name] = max(found.get(name, 0.0), value) if name == "use" else found.get(name, 0.0) + value
    return found


def capacity_in(text: str) -> int | None:
    """Return the tokens that an engine says its cache holds, as vLLM's own server shows them; None where it is not said."""
    found = _CAPACITY.search(text)
    return int(found["tokens"]) if found else None


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
def watched(scrape: Scrape, model: str) -> Generator[Vitals]:
    """Read the metrics twice a second while the block runs; what they said is there when it has ended."""
    vitals, ended = Vitals(), threading.Event()
    before = metrics_in(scrape() or "", model)
    uses: list[float] = []

    def watch() -> None:
        while not ended.wait(_EVERY_SECONDS):
            seen = metrics_in(scrape() or "", model)
            if "use" in seen:
                uses.append(seen["use"])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield vitals
    finally:
        ended.set()
        thread.join(10)
        after = metrics_in(scrape() or "", model)
        vitals.kv_use = max(uses, default=None)
        if "queries" in after:
            asked = after["queries"] - before.get("queries", 0.0)
            hit = after.get("hits", 0.0) - before.get("hits", 0.0)
            vitals.prefix_hits = hit / asked if asked > 0 else 0.0
