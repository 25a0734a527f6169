"""Clients that ask one question after another, streamed, and keep what came of each: what a change under load is judged by."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2


@dataclass(frozen=True)
class Asked:
    """What one client asks again and again. A private model can be held to exactly `tokens`."""

    kind: str
    model: str
    text: str
    tokens: int

    @property
    def body(self) -> dict[str, Any]:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.text}],
            "max_tokens": self.tokens,
            "stream": True,
        }
        return body | ({"ignore_eos": True} if self.model == "private" else {})


@dataclass(frozen=True)
class Answered:
    """One streamed request: when it began and ended, and whether all of it came."""

    kind: str
    began: float
    ended: float
    status: int
    whole: bool
    tokens: int
    trace_id: str


@dataclass
class Load:
    """Clients that ask one question after another until they are told to stop."""

    address: str
    key: str
    asked: tuple[Asked, ...]
    answered: list[Answered] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for one in self.asked:
            self._threads.append(threading.Thread(target=self._go_on, args=(one,)))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(150)

    def _go_on(self, asked: Asked) -> None:
        while not self._stop.is_set():
            try:
                self.answered.append(ask(self.address, self.key, asked))
            except Exception as error:  # noqa: BLE001 - whatever a client sees is what is counted
                self.failed.append(f"{asked.kind}: {error!r}")
            self._stop.wait(0.2)


def ask(address: str, key: str, asked: Asked) -> Answered:
    began = time.time()
    with httpx2.stream(
        "POST",
        f"{address}/v1/chat/completions",
        json=asked.body,
        headers={"authorization": f"Bearer {key}"},
        timeout=150,
        trust_env=False,
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    tokens = sum('"content":"' in line and '"content":""' not in line for line in lines)
    return Answered(
        asked.kind,
        began,
        time.time(),
        response.status_code,
        lines[-1:] == ["data: [DONE]"],
        tokens,
        response.headers["x-lane-trace-id"],
    )


def wait_for(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.5)
