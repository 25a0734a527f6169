"""An outage drill: mixed requests while no hosted lane answers, what each of them may end with, and whether all of them did.

Used with everything real but Ray and the engine (`tests/serving/test_outage.py`), and at the running system (`tests/e2e/test_outage.py`).
"""

import asyncio
import json
import random
import shutil
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

STARTER = Path(__file__).parents[1] / "config" / "starter"
OPEN_SECONDS = 2.0
"""How long a breaker stays open in the drill's bundle: recovery is measured by it."""
FIRST_TOKEN_SECONDS = 2.0
"""How long a hosted lane may take to its first token there."""
LATE_SECONDS = 1.0
"""No request may outlive its deadline by more."""
_AT_ONCE = 16
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}},
    "required": ["city"],
    "additionalProperties": False,
}
_CODE = "Write a Python function that returns the larger of two numbers."


@dataclass(frozen=True)
class Kind:
    """A kind of request, and how it may end while hosted lanes are dark: statuses, and the lanes of a 200."""

    name: str
    statuses: frozenset[int]
    lanes: frozenset[str] = frozenset({"fast_small", "private"})


ANSWERED = frozenset({200})
GONE = frozenset({502, 503, 504})
KINDS = (
    Kind("everyday", ANSWERED),
    Kind("code", ANSWERED),
    Kind("json", ANSWERED),
    Kind("hard", ANSWERED),
    # Nothing else may answer: a caller who names a hosted lane, and a prompt that no private model takes. Planned ends, told at once.
    Kind("hosted by name", GONE, frozenset()),
    Kind("too long for home", GONE | {400}, frozenset()),
    Kind("protected", ANSWERED, frozenset({"private"})),
    Kind("protected json", ANSWERED, frozenset({"private"})),
    Kind("protected in the system prompt", ANSWERED, frozenset({"private"})),
    Kind("protected, hosted by name", frozenset({403}), frozenset()),
)


@dataclass(frozen=True)
class Asked:
    """One request of the drill."""

    kind: Kind
    canary: str
    body: dict[str, Any]


@dataclass
class Got:
    """What came of it. `whole`: its answer ended as one should (a stream with `[DONE]`, a body with a choice)."""

    asked: Asked
    status: int
    seconds: float
    whole: bool
    lane: str | None
    trace: str | None
    text: str = field(repr=False, default="")


def drill_bundle(folder: Path, base_url: str) -> Path:
    """Write the starter bundle with its hosted lanes at this address, quick to be given up and quick to be tried again."""
    shutil.copytree(STARTER, folder)
    file = folder / "lanes.yaml"
    lanes = yaml.safe_load(file.read_text())
    for lane in lanes["lanes"]:
        if "hosted" in lane:
            lane["hosted"]["base_url"] = base_url
            lane["timeouts"] = {"connect_seconds": 1, "first_token_seconds": FIRST_TOKEN_SECONDS, "gap_seconds": 2}
            lane["breaker"] = {"failures": 3, "window_seconds": 30, "open_seconds": OPEN_SECONDS}
    file.write_text(yaml.safe_dump(lanes, sort_keys=False))
    return folder


def drill(count: int, max_tokens: int, seed: int = 11) -> list[Asked]:
    """Return the requests: every kind in turn, every second round streamed."""
    drawn = random.Random(seed)
    return [
        _one(KINDS[number % len(KINDS)], drawn, max_tokens, stream=number // len(KINDS) % 2 == 1)
        for number in range(count)
    ]


def _one(kind: Kind, drawn: random.Random, max_tokens: int, *, stream: bool) -> Asked:
    canary = f"canary{drawn.getrandbits(64):016x}" if "protected" in kind.name else ""
    ssn = f"{drawn.randint(100, 665)}-{drawn.randint(10, 99)}-{drawn.randint(1000, 9999)}"
    private = f"My social security number is {ssn}, my doctor says I have diabetes. Ask for {canary}."
    body: dict[str, Any] = {"model": "auto", "max_tokens": max_tokens, "stream": stream}
    text = "What is the capital of France?"
    match kind.name:
        case "code":
            text = _CODE
        case "json" | "protected json":
            text = "Extract the city: we met in Paris." if not canary else f"Extract the city. {private}"
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "place", "schema": _SCHEMA}}
            body["max_tokens"] = max(max_tokens, 24)
        case "hard":
            text = "Prove that there are infinitely many primes, then that the square root of two is irrational."
        case "too long for home":
            text = "Summarise this. " + "The delivery van came on time that day. " * 800
        case "protected" | "protected, hosted by name":
            text = private
        case _:
            pass
    if kind.name.endswith("hosted by name"):
        body["model"] = "premium"
    messages = [{"role": "user", "content": text}]
    if kind.name == "protected in the system prompt":
        messages.insert(0, {"role": "system", "content": f"Patient Ada Moore, SSN {ssn}, file {canary}."})
    return Asked(kind, canary, {**body, "messages": messages})


async def send(address: str, key: str, asked: list[Asked], deadline_seconds: float) -> list[Got]:
    """Send all of them, a bounded number at once, each with its deadline; return what came of each, in order."""
    turn = asyncio.Semaphore(_AT_ONCE)
    headers = {"authorization": f"Bearer {key}", "x-lane-deadline-seconds": f"{deadline_seconds:g}"}
    patience = httpx2.Timeout(deadline_seconds + 30)
    limits = httpx2.Limits(max_connections=_AT_ONCE, max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        base_url=address, headers=headers, timeout=patience, limits=limits, trust_env=False
    ) as client:

        async def one(ask: Asked) -> Got:
            async with turn:
                began = time.monotonic()
                answer = await client.post("/v1/chat/completions", json=ask.body)
                seconds = time.monotonic() - began
            text = answer.text
            whole = text.rstrip().endswith("data: [DONE]") if ask.body["stream"] else '"choices"' in text
            said = answer.headers
            return Got(
                ask, answer.status_code, seconds, whole, said.get("x-lane-lane"), said.get("x-lane-trace-id"), text
            )

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(ask)) for ask in asked]
    return [task.result() for task in tasks]


def faults_of(got: list[Got], deadline_seconds: float) -> list[str]:
    """Return what went otherwise than planned, in words; nothing where all is well."""
    return [
        f"{one.asked.kind.name}: {one.status} from {one.lane} after {one.seconds:.1f} s: {one.text[:300]}"
        for one in got
        if one.status not in one.asked.kind.statuses
        or (one.status == 200 and not (one.whole and one.lane in one.asked.kind.lanes))
        or one.seconds > deadline_seconds + LATE_SECONDS
    ]


def leaked(got: list[Got], received: str) -> list[str]:
    """Return the canaries that a provider saw."""
    return [one.asked.canary for one in got if one.asked.canary and one.asked.canary in received]


def table(phase: str, got: list[Got]) -> str:
    """Return a small table for whoever reads the test's output."""
    rows = [f"{phase}: {len(got)} requests, the slowest {max(one.seconds for one in got):.1f} s"]
    counted = Counter((one.asked.kind.name, one.status, one.lane or "-") for one in got)
    rows += [f"  {kind:32} {status} {lane:12} {count:4}" for (kind, status, lane), count in sorted(counted.items())]
    return "\n".join(rows)


async def seconds_to_recovery(address: str, key: str, at_most: float) -> float:
    """Ask for code until the hosted lane for it answers again; return how long that took."""
    began = time.monotonic()
    body = {"model": "auto", "max_tokens": 4, "messages": [{"role": "user", "content": _CODE}]}
    async with httpx2.AsyncClient(base_url=address, timeout=30, trust_env=False) as client:
        while True:
            answer = await client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})
            seconds = time.monotonic() - began
            if answer.status_code == 200 and answer.headers.get("x-lane-lane") == "code":
                return seconds
            assert seconds < at_most, f"not recovered after {seconds:.1f} s: {answer.status_code} {answer.text[:300]}"
            await asyncio.sleep(0.1)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def received_by(provider: Any) -> str:
    """Return all that a stand-in got, as one text."""
    return "\n".join(f"{json.dumps(one.headers)}\n{one.body.decode(errors='replace')}" for one in provider.received)
