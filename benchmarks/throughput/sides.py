"""Where does the load go? To the lane as clients see it (running already, or started for this), or to the engine's own server."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import orjson

from benchmarks.load import Target
from benchmarks.sides import bare_vllm, whole_system
from benchmarks.throughput.vitals import Scrape, scraped
from models.spec import ModelSpec
from router.bundle import Bundle
from router.errors import BadRequest, NotAuthenticated, RouterError
from serving.settings import Settings
from serving.status import as_running, supervisor_of
from serving.supervisor import is_ready

_PROBE_SECONDS = 120.0


class NotAnswering(RouterError):
    """The server under test does not answer a plain request; the message ends with what it said."""

    code = "not_answering"


@dataclass(frozen=True, slots=True)
class Side:
    """A server that is up. `started_seconds`: how long that took, where it was started for this run."""

    target: Target
    scrape: Scrape
    started_seconds: float | None = None

    @property
    def base_url(self) -> str:
        """Its address without the path."""
        return f"http://{self.target.host}:{self.target.port}"


def lane_of(bundle: Bundle, model: str, lane: str | None) -> str:
    """Return the private lane to pin: the one asked for, else the last of the bundle's that holds the model.

    The last, because lanes are ordered by preference and the strictest, with the longest patience, stands last among the private ones.
    Raises `BadRequest` for a model or a lane that the bundle does not serve, and for a model that writes no answers.
    """
    if model not in bundle.models:
        raise BadRequest(f"{model}: no model of this bundle; it has {', '.join(bundle.models)}")
    if bundle.models[model].task != "generate":
        raise BadRequest(f"{model} makes embeddings: what is measured here is the writing of answers")
    holding = [name for name, spec in bundle.lanes.items() if spec.model == model]
    if lane is None and holding:
        return holding[-1]
    if lane not in holding:
        raise BadRequest(f"no private lane {lane or ''} holds {model}; {', '.join(holding) or 'none'} do")
    return lane


def held_to_one_replica(spec: ModelSpec) -> None:
    """Raise `BadRequest` where more than one replica may answer: a profile is one replica's, and plans count replicas by it."""
    if spec.most_replicas > 1:
        raise BadRequest(
            f"{spec.name} may run as {spec.most_replicas} replicas, and a profile is of one: measure a bundle in which it has one "
            "(`replicas: 1`, or `max_replicas: 1` in its `scaling`), or the engine alone (--bare)"
        )


@contextmanager
def lane_side(settings: Settings, lane: str) -> Generator[Side]:
    """The system that runs here, else one started for this run in a home of its own."""
    running = as_running(settings)
    if supervisor_of(running) is not None:
        if not is_ready(running):
            raise NotAnswering("the system here is not ready; `lane status` says why")
        yield Side(Target(running.host, running.port, lane, _key(running)), scraped(_metrics(running)))
        return
    began = time.monotonic()
    with whole_system(settings, lane) as target:
        yield Side(target, scraped(f"http://{target.host}:{target.port}/metrics"), time.monotonic() - began)


@contextmanager
def engine_side(settings: Settings, spec: ModelSpec) -> Generator[Side]:
    """Bare vLLM with the engine settings of our replica. Refuses while the system runs here: the two would share the machine."""
    if supervisor_of(as_running(settings)) is not None:
        raise BadRequest("--bare: the system runs here and would share the machine with it; `lane down` first")
    began = time.monotonic()
    with bare_vllm(spec, settings.models / spec.folder) as target:
        yield Side(target, scraped(f"http://{target.host}:{target.port}/metrics"), time.monotonic() - began)


def template_tokens(side: Side, words_tokens: int, text: str) -> int:
    """Send a text of known length and return how many tokens the server's chat template adds to it. Raises `NotAnswering`."""
    body = {"model": side.target.model, "messages": [{"role": "user", "content": text}], "max_completion_tokens": 1}
    headers = {"authorization": f"Bearer {side.target.key}"} if side.target.key else {}
    try:
        answer = httpx2.post(
            f"{side.base_url}/v1/chat/completions", json=body, headers=headers, timeout=_PROBE_SECONDS, trust_env=False
        )
    except httpx2.HTTPError as error:
        raise NotAnswering(f"{side.base_url}: {type(error).__name__}: {error}") from error
    if answer.status_code != httpx2.codes.OK:
        raise NotAnswering(f"{side.base_url} answered {answer.status_code}: {answer.text[:400]}")
    return int(answer.json()["usage"]["prompt_tokens"]) - words_tokens


def _metrics(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}/metrics"


def _key(settings: Settings) -> str:
    try:
        keys: dict[str, str] = orjson.loads(settings.keys_file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise NotAuthenticated(f"no API key in {settings.keys_file}; `lane up` makes one") from error
    if not keys:
        raise NotAuthenticated(
            f"{settings.keys_file} holds no key: no tenant of the bundle has one with `minted: true`"
        )
    return next(iter(keys.values()))
