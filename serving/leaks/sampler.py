"""How does a request that was let out, or kept in, become a sample? Beside its way: it waits for nothing here, and fails of nothing here.

A thread of its own counts, draws and seals. What can't be kept up with is dropped, counted in the log, and no sample.
"""

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import orjson

from router.bundle import Bundle
from router.contract import Decision, ImagePart, Label, RouteRequest
from router.errors import RouterError
from router.labels import join
from serving.door.ledger import Intent
from serving.leaks.samples import Population, Samples, Stratum, week_of
from serving.leaks.setting import read_setting

log = logging.getLogger(__name__)

_WAITING_AT_MOST: Final = 256


def _draw() -> float:
    """From the system's randomness, so that nobody can time a request to be sampled or not."""
    return random.SystemRandom().random()


class Sampler:
    """One process's samples, in one file. Costs a look at the setting's file while sampling is off."""

    def __init__(
        self,
        setting: Path,
        file: Path,
        draw: Callable[[], float] = _draw,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take the files of setting and samples, random numbers in [0, 1), and the time in Unix seconds."""
        self._setting, self._file, self._draw, self._now = setting, file, draw, now
        self._samples: Samples | None = None
        self._thread = ThreadPoolExecutor(1, "leak-sample")
        self._waiting: set[Future[None]] = set()

    def left(self, intent: Intent, body: bytes) -> None:
        """Take note of what the door is about to send: the exact bytes. Returns at once, raises nothing."""
        stratum = self._stratum("left", intent.org, intent.lane, intent)
        self._hand_over(stratum, lambda: body, intent.trace_id)

    def stayed(self, request: RouteRequest, decision: Decision, bundle: Bundle, trace_id: str) -> None:
        """Take note of a request that is kept in because of what was found in it. Returns at once, raises nothing."""
        if not kept_by_findings(request, decision, bundle):
            return
        stratum = self._stratum("stayed", request.org, decision.lane or "none", decision)
        self._hand_over(stratum, lambda: _as_body(request), trace_id)

    def close(self) -> None:
        """Finish what was handed over, then close the file."""
        self._thread.shutdown()
        if self._samples is not None:
            self._samples.close()

    def _stratum(self, population: Population, org: str, lane: str, judged: Intent | Decision) -> Stratum:
        return Stratum(
            population=population,
            week=week_of(self._now()),
            org=org,
            lane=lane,
            risk_tier=judged.risk_tier,
            categories=judged.label.categories if population == "stayed" else (),
        )

    def _hand_over(self, stratum: Stratum, content: Callable[[], bytes], trace_id: str) -> None:
        if not self._setting.exists():
            return
        if len(self._waiting) >= _WAITING_AT_MOST:
            log.warning("a request was not offered as a sample: %d are waiting", len(self._waiting))
            return
        task = self._thread.submit(self._take, stratum, content, trace_id)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def _take(self, stratum: Stratum, content: Callable[[], bytes], trace_id: str) -> None:
        """Count and perhaps keep one. Catches what a bad setting or disk raises: the request it belongs to is on its way."""
        try:
            setting = read_setting(self._setting)
            if setting is None:
                return
            if self._samples is None:
                self._samples = Samples(self._file, self._draw)
            self._samples.offer(stratum, content(), trace_id, self._now(), setting)
        except RouterError as error:
            log.warning("a request was not offered as a sample: %s", error)


def kept_by_findings(request: RouteRequest, decision: Decision, bundle: Bundle) -> bool:
    """Tell whether a detector keeps this request in.

    One that was declared to stay, by its caller, its tenant or its route, is none: no detector can have been wrong about it.
    """
    tenant = bundle.tenants.get(request.org)
    declared = join(
        request.labels,
        tenant.label if tenant is not None else Label(),
        *(route.spec.label for route in bundle.routes if route.spec.id == decision.route),
    )
    found = any(finding.score >= bundle.tiers.raise_at for finding in decision.findings)
    return decision.action == "answer" and found and _stays(decision.label) and not _stays(declared)


def _stays(label: Label) -> bool:
    return label.level in {"confidential", "restricted"} or bool(label.categories)


def _as_body(request: RouteRequest) -> bytes:
    """The request in the shape in which it would have left. An image is named, not kept."""
    messages = [
        {
            "role": message.role,
            "content": "".join("[image]" if isinstance(part, ImagePart) else part.text for part in message.content),
            "tool_calls": [
                {"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
            ],
        }
        for message in request.messages
    ]
    return orjson.dumps({"messages": messages})
