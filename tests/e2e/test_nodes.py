"""Machines join a cluster, and leave it; one is lost; the GCS is lost: under load, with real Ray, real engines, TLS and token.

Four nodes on this box, each with an address of its own on loopback, run from the units that `lane cluster init` and `join` wrote. Each
of the three workers has room for one replica. The tests build on one another, in their order.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from serving.settings import read_settings
from serving.supervisor import _haproxy_of_its_own
from tests.e2e.systems import MODEL, free_port
from tests.e2e.units import Unit, relocate, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.exam, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
WORKERS = ("n1", "n2", "n3")
LOOK_SECONDS = 10.0
"""Between two looks at Ray's state: each is a driver of the cluster for a while, on processors that the engines need."""


def say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


@dataclass
class Answer:
    """One request of the load: when, and what came of it."""

    began: float
    ended: float = 0.0
    pieces: int = 0
    finish: str | None = None
    error: str | None = None


@dataclass
class Load:
    """Clients that stream answers one after another until told to stop."""

    client: openai.OpenAI
    answers: list[Answer] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, clients: int) -> None:
        self.threads = [threading.Thread(target=self._ask_on) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _ask_on(self) -> None:
        while not self.stop.is_set():
            answer = Answer(time.monotonic())
            self.answers.append(answer)
            try:
                stream = self.client.chat.completions.create(
                    model="private",
                    messages=[{"role": "user", "content": "Count from one to forty in words."}],
                    max_tokens=48,
                    stream=True,
                )
                for chunk in stream:
                    answer.pieces += 1
                    if chunk.choices and chunk.choices[0].finish_reason:
                        answer.finish = chunk.choices[0].finish_reason
            except openai.APIError as error:
                answer.error = f"{type(error).__name__}: {error}"
            answer.ended = time.monotonic()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(120)

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.error is not None or answer.finish is None]


@dataclass
class ClusterUnderTest:
    """Its folders, units and how to ask it."""

    folder: Path
    environment: dict[str, str]
    port: int
    enrol_port: int
    units: dict[str, Unit] = field(default_factory=dict)

    def root(self, node: str) -> Path:
        return self.folder / node

    def lane(self, *command: str, code: int | None = 0, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *command],
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert code is None or done.returncode == code, f"lane {' '.join(command)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def token(self) -> str:
        printed = self.lane("cluster", "token", "--root", str(self.root("h")), "--json")
        return str(json.loads(printed)["join_token"])

    def join(self, node: str, number: int) -> None:
        root = str(self.root(node))
        at = f"127.0.0.2:{self.enrol_port}"
        self.lane(
            *("cluster", "join", at, "--name", node, "--address", f"127.0.0.{number}", "--root", root),
            LANE_JOIN_TOKEN=self.token(),
        )
        relocate(self.root(node))
        unit = self.units[node] = Unit(self.root(node), "lane-ray", OMP_NUM_THREADS="1").start()
        wait_for(f"{node} in Ray", lambda: "Ray runtime started" in unit.said, 400)

    def status(self) -> dict[str, Any]:
        """The nodes that Ray has alive, by name."""
        printed = self.lane("cluster", "status", "--root", str(self.root("h")), "--json", code=None)
        nodes = [json.loads(line) for line in printed.splitlines()]
        return {node["name"]: node for node in nodes if node.get("alive")}

    def running(self) -> list[str]:
        """The nodes that have a running replica of the model."""
        return sorted(
            name
            for name, node in self.status().items()
            for replica in node["replicas"]
            if replica == {"deployment": f"private-{MODEL}", "state": "RUNNING"}
        )

    @contextmanager
    def load(self, clients: int = 3) -> Iterator[Load]:
        minted = json.loads((self.root("h") / "var/lib/lane/keys.json").read_text())
        client = openai.OpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1", api_key=minted["local/default"], max_retries=0, timeout=120
        )
        load = Load(client)
        load.start(clients)
        try:
            yield load
        finally:
            load.end()


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterUnderTest]:
    folder = Path(
        tempfile.mkdtemp(prefix="ln")
    )  # Short: Ray's sockets lie below it, and a socket's path has 107 letters.
    made = ClusterUnderTest(folder, dict(os.environ), free_port(), free_port())
    try:
        _start(made)
        yield made
    finally:
        for unit in reversed(made.units.values()):
            unit.stop()
        left = [process for unit in made.units.values() for process in unit.processes()]
        shutil.rmtree(folder, ignore_errors=True)
        assert not left, f"processes were left behind: {left}"


def _start(made: ClusterUnderTest) -> None:
    nodes = [{"name": "h", "head": True, "private": False, "address": "127.0.0.2"}]
    nodes += [{"name": name, "address": f"127.0.0.{3 + index}"} for index, name in enumerate(WORKERS)]
    common = {"memory_gib": 8, "cpus": 4, "site": "here", "jurisdiction": "de"}
    (made.folder / "nodes.yaml").write_text(yaml.safe_dump({"nodes": [common | node for node in nodes]}))
    bundle = made.folder / "bundle"
    shutil.copytree(ROOT / "config/starter", bundle)
    models = yaml.safe_load((bundle / "models.yaml").read_text())
    models["models"][0] |= {"replicas": 2, "cpus_per_replica": 4}
    models["models"][0]["engine"]["kv_cache_gib"] = 0.25
    (bundle / "models.yaml").write_text(yaml.safe_dump(models))
    ray_port = free_port()
    made.lane(
        *("cluster", "init", str(made.folder / "nodes.yaml"), str(ROOT / "config/site.example.yaml")),
        *("--bundle", str(bundle), "--root", str(made.root("h"))),
        *("--ray-port", str(ray_port), "--enrol-port", str(made.enrol_port)),
    )
    relocate(made.root("h"))
    head = made.root("h")
    # HAProxy takes sockets' paths of 97 letters at most, and has fixed ports that another system on this box may hold.
    made.units["h"] = Unit(head, "lane-ray", OMP_NUM_THREADS="1", **_haproxy_of_its_own(made.folder)).start()
    made.units["enrol"] = Unit(head, "lane-enrol").start()
    wait_for("Ray's head", lambda: "h" in made.status(), 400, LOOK_SECONDS)
    for number, node in enumerate(WORKERS[:2], start=3):
        made.join(node, number)  # One after the other: two `ray start` at once were seen to leave one of them waiting.
    more = {"LANE_BUNDLE": str(bundle), "LANE_PORT": str(made.port), "LANE_HOST": "127.0.0.1"}
    models_folder = str(read_settings().models)
    made.units["router"] = Unit(head, "lane-node", LANE_MODELS=models_folder, **more).start()
    wait_for("two replicas", lambda: "ready at" in made.units["router"].said, 900)


def test_replicas_run_on_the_nodes_that_joined_and_not_on_the_head(cluster: ClusterUnderTest) -> None:
    wait_for("a replica on each node", lambda: cluster.running() == ["n1", "n2"], 400, LOOK_SECONDS)

    status = cluster.status()
    assert "private" not in status["h"]["resources"]
    assert {"private", "site_here", "jurisdiction_de"} <= set(status["n1"]["resources"])
    assert status["h"]["head"]


def test_a_lost_node_costs_what_was_streaming_there_and_its_replica_comes_back(cluster: ClusterUnderTest) -> None:
    with cluster.load() as load:
        time.sleep(5)
        killed_at = time.monotonic()
        cluster.units["n2"].process("raylet").kill()
        back = wait_for("a replica on n2 again", lambda: cluster.running() == ["n1", "n2"], 600, LOOK_SECONDS)

    say(f"node lost: {len(load.answers)} answers, {len(load.failed)} failed, back after {back:.0f} s")
    assert all(answer.began < killed_at + 5 for answer in load.failed)
    assert len(load.failed) <= 3
    assert sum(answer.began > killed_at and answer.finish is not None for answer in load.answers) >= 3


def test_a_node_that_joins_takes_over_from_one_that_drains_and_no_stream_is_cut(cluster: ClusterUnderTest) -> None:
    with cluster.load(
        clients=1
    ) as light:  # Ray's start gives up after a minute, which it takes here beside two busy engines.
        cluster.join("n3", 5)
        with cluster.load(clients=2) as more:
            out = ("--root", str(cluster.root("h")), "--seconds", "600", "--json")
            printed = cluster.lane("cluster", "drain", "n1", *out)

    answers, failed = light.answers + more.answers, light.failed + more.failed
    say(f"drained: {printed.strip()}, {len(answers)} answers, {len(failed)} failed: {failed[:2]}")
    assert json.loads(printed)["left"] is True
    assert failed == []
    assert len(answers) >= 6
    assert cluster.running() == ["n2", "n3"]
    assert "n1" not in cluster.status()


def test_without_the_gcs_answers_go_on_and_the_state_returns(cluster: ClusterUnderTest) -> None:
    before = cluster.running()
    with cluster.load() as load:
        time.sleep(3)
        gcs = cluster.units["h"].process("gcs_server")
        gcs.kill()
        wait_for("another GCS", lambda: "started it again" in cluster.units["h"].said, 60)
        time.sleep(10)
        after = cluster.running()

    say(f"GCS lost: {len(load.answers)} answers, {len(load.failed)} failed: {load.failed[:2]}")
    assert load.failed == []
    assert after == before == ["n2", "n3"]
    assert cluster.units["h"].process("gcs_server").pid != gcs.pid
