"""Nothing leaves the private node: counted by the kernel, and looked for at the provider."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.bundle import load_bundle
from serving.door.ledger import read_ledger
from serving.secrets import ensure_secrets
from serving.settings import Settings, read_settings
from tests.e2e.mixed_load import mixed
from tests.e2e.namespaces import PROVIDER_ADDRESS, Rack, rack, why_not
from tests.providers.certificates import Authority

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

REQUESTS = 1_000
PROVIDER_PORT = 9000
PROVIDER_KEY = "sk-stand-in-0123456789abcdef"
STARTER = Path(__file__).parents[2] / "config" / "starter"
_TRY_TO_LEAVE = f"""
import socket, sys
try:
    socket.create_connection(("{PROVIDER_ADDRESS}", {PROVIDER_PORT}), timeout=5)
except OSError as error:
    sys.exit(f"{{error.errno}}")
"""


class Deployment:
    """The private node, the door and the provider, each in its namespace; nothing but files and a Unix socket in common."""

    def __init__(self, machines: Rack, folder: Path) -> None:
        self.machines, self.folder = machines, folder
        self.provider_log = folder / "provider.jsonl"
        self.authority = Authority()
        self.identity = self.authority.identity(PROVIDER_ADDRESS)
        self.settings: Settings = read_settings(self._bundle()).model_copy(update={"home": folder / "home"})
        ensure_secrets(self.settings, load_bundle(self.settings.bundle))
        self._environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"} | {
            "LANE_HOME": str(self.settings.home),
            "LANE_BUNDLE": str(self.settings.bundle),
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        module = [sys.executable, "-m"]
        provider = ["tests.providers.stand_in", "--host", PROVIDER_ADDRESS, "--port", str(PROVIDER_PORT)]
        tls = ["--tls", *map(str, self.identity.files(self.folder))]
        self._start(self.machines.provider, [*module, *provider, *tls, "--log", str(self.provider_log)])
        self._start(self.machines.door, [*module, "cli.main", "door"], OPENAI_API_KEY=PROVIDER_KEY)
        node = self._start(self.machines.private, [*module, "cli.main", "up", "--foreground", "--no-door"])
        deadline = time.monotonic() + 600
        while "ready at" not in self._log(node):
            assert node.poll() is None, self._log(node)
            assert time.monotonic() < deadline, self._log(node)
            time.sleep(0.5)
        self._wait_for_the_hosted_lanes(deadline)

    def _wait_for_the_hosted_lanes(self, deadline: float) -> None:
        """Both deep scans, the router's and the door's, have to be up before a hosted lane is on."""
        key = json.loads(self.settings.keys_file.read_text())["local/default"]
        address = f"http://{self.settings.host}:{self.settings.port}/v1/models"
        asked = f"import httpx2; print(httpx2.get({address!r}, headers={{'authorization': 'Bearer {key}'}}).text)"
        while "premium" not in self._run(self.machines.private, [sys.executable, "-c", asked]).stdout:
            assert time.monotonic() < deadline, "no hosted lane came on"
            time.sleep(1.0)

    def send_mixed_load(self) -> list[dict[str, Any]]:
        """Send the load from inside the private node, where its clients' proxy would stand."""
        key = json.loads(self.settings.keys_file.read_text())["local/default"]
        address = f"http://{self.settings.host}:{self.settings.port}"
        command = [sys.executable, "-m", "tests.e2e.mixed_load", "--address", address, "--count", str(REQUESTS)]
        done = self._run(self.machines.private, command, LANE_KEY=key)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def try_to_leave(self) -> str:
        """Have a program on the private node try to reach the provider; return how that ended."""
        done = self._run(self.machines.private, [sys.executable, "-c", _TRY_TO_LEAVE])
        return "reached it" if done.returncode == 0 else os.strerror(int(done.stderr))

    def intrude(self) -> dict[str, Any]:
        """Have a stranger's code run as a Ray task on the private node; return what it achieved."""
        provider = f"{PROVIDER_ADDRESS}:{PROVIDER_PORT}"
        command = [sys.executable, "-m", "tests.e2e.intruder", "--settings", self.settings.model_dump_json()]
        done = self._run(self.machines.private, [*command, "--provider", provider, "--secret", PROVIDER_KEY[:12]])
        assert done.returncode == 0, done.stderr
        achieved: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return achieved

    def received(self) -> str:
        return self.provider_log.read_text() if self.provider_log.exists() else ""

    def stop(self) -> None:
        for process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(90)
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def _bundle(self) -> Path:
        """The starter bundle, its hosted lanes led to the stand-in, whose key and address are pinned."""
        bundle = self.folder / "bundle"
        shutil.copytree(STARTER, bundle)
        file = bundle / "lanes.yaml"
        lanes = yaml.safe_load(file.read_text())
        for lane in lanes["lanes"]:
            if "hosted" in lane:
                lane["hosted"]["base_url"] = f"https://{PROVIDER_ADDRESS}:{PROVIDER_PORT}/v1"
                lane["hosted"]["ca_pem"] = self.authority.pem
                lane["hosted"]["pin_sha256"] = [self.identity.pin]
                lane["hosted"]["addresses"] = [f"{PROVIDER_ADDRESS}/32"]
        file.write_text(yaml.safe_dump(lanes))
        return bundle

    def _start(self, machine: str, command: Sequence[str], **more: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{len(self._started)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                Rack.inside(machine, command), env=self._environment | more, stdout=log, stderr=log
            )
        self._started.append(process)
        return process

    def _log(self, process: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"{self._started.index(process)}.log").read_text(errors="replace")

    def _run(self, machine: str, command: Sequence[str], **more: str) -> subprocess.CompletedProcess[str]:
        environment = self._environment | more
        inside = Rack.inside(machine, command)
        return subprocess.run(inside, check=False, env=environment, capture_output=True, text=True, timeout=1200)


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with rack() as machines, tempfile.TemporaryDirectory(prefix="lane-net-") as folder:
        made = Deployment(machines, Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


def test_a_thousand_mixed_requests_put_no_packet_of_the_private_node_on_the_way_to_the_provider(
    deployment: Deployment,
) -> None:
    canaries = [asked.canary for asked in mixed(REQUESTS) if asked.canary]

    answers = deployment.send_mixed_load()

    outcomes = Counter((one["kind"], one["status"], one["lane"]) for one in answers)
    assert outcomes == {
        ("open, wherever", 200, "fast_small"): REQUESTS / 5,
        ("open, hosted", 200, "premium"): REQUESTS / 5,
        ("protected, wherever", 200, "private"): REQUESTS / 5,
        ("protected, hosted", 403, None): REQUESTS / 5,
        ("protected in the system prompt", 200, "private"): REQUESTS / 5,
    }
    assert deployment.machines.packets_sent(deployment.machines.private) == 0
    assert deployment.machines.packets_sent(deployment.machines.door) > 0
    received = deployment.received()
    assert len(received.splitlines()) == REQUESTS / 5
    assert not [canary for canary in canaries if canary in received]
    intents = [entry for entry in read_ledger(deployment.settings.ledger_file) if entry.event.kind == "intent"]
    assert len(intents) == len(received.splitlines()), "each send was written down, and nothing else was sent"


def test_a_program_on_the_private_node_finds_no_way_to_the_provider(deployment: Deployment) -> None:
    assert deployment.try_to_leave() == "Network is unreachable"
    assert deployment.machines.packets_sent(deployment.machines.private) == 0


def test_a_stranger_s_code_in_the_private_cluster_gets_nothing_out(deployment: Deployment) -> None:
    before = len(deployment.received().splitlines())

    achieved = deployment.intrude()

    assert achieved == {"way_out": "Network is unreachable", "key_seen_in": [], "forged": "egress_refused"}
    assert len(deployment.received().splitlines()) == before
    assert deployment.machines.packets_sent(deployment.machines.private) == 0


def test_the_keys_are_at_the_door_alone(deployment: Deployment) -> None:
    node = [process for process in deployment._started if "--no-door" in process.args]  # type: ignore[operator]

    held = subprocess.run(
        ["grep", "-lsza", PROVIDER_KEY, *(str(path) for path in _environments_below(node[0].pid))],
        check=False,
        capture_output=True,
        text=True,
    )

    assert held.stdout == ""


def _environments_below(pid: int) -> list[Path]:
    import psutil

    below = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return [Path(f"/proc/{process.pid}/environ") for process in below]
