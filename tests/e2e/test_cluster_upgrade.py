"""Another environment takes over behind one address, under load, and gives it back its requests: two whole systems, blue and green.

The second environment is made on the spot: an interpreter of its own over the same packages. What it lacks to be a real upgrade is another
version; the evidence's file begins in the first release's schema, which both then bring forward.
"""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from router.contract import Evidence
from serving.evidence_schema import STEPS, outlook
from serving.store import read_evidence
from tests.e2e.steady_load import Answered, Asked, Load, wait_for
from tests.e2e.systems import RunningSystem, free_port, lane, running_system
from tests.serving.change.kit import a_bundle
from tests.serving.test_evidence_schema import of_schema_1

pytestmark = [pytest.mark.e2e, pytest.mark.exam, pytest.mark.timeout(1800)]
LONG_TOKENS = 120
ASKED = (
    Asked("long", "private", "Tell me a very long story about the sea.", LONG_TOKENS),
    Asked("short", "private", "What is the capital of France?", 4),
)


@dataclass
class Story:
    """What happened."""

    system: RunningSystem
    load: Load
    standing: dict[str, Any]
    steps: list[str]
    refused: subprocess.CompletedProcess[str]
    green_ran: list[str]

    def evidence(self, answered: Answered) -> Evidence:
        record = read_evidence(self.system.settings.evidence_file, answered.trace_id)
        assert record is not None
        return record


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("bg")
    bundle = a_bundle(folder / "bundle")
    for file, old, new in (
        ("models.yaml", "kv_cache_gib: 1 ", "kv_cache_gib: 0.25 "),
        ("lanes.yaml", "lanes:", "egress: none\nlanes:"),
        ("tenants.yaml", "- org: local", "- org: local\n    keys: [{ id: default, minted: true }]"),
    ):
        (bundle / file).write_text((bundle / file).read_text().replace(old, new))
    home = folder / "home"
    home.mkdir(mode=0o700)
    of_schema_1(home / "evidence.sqlite")
    with running_system(bundle, {"LANE_HOME": str(home)}) as system:
        port = free_port()
        lane(system.environment, "cluster", "address", "--port", str(port))
        try:
            yield _tell(system, port, another_environment(folder / "green"))
        finally:
            lane({**system.environment, "LANE_RUNTIME": str(home / "green")}, "down")
            lane(system.environment, "cluster", "address", "--stop")


def another_environment(folder: Path) -> Path:
    """An environment of its own over this one's packages; its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin" / "python"


def _tell(system: RunningSystem, port: int, python: Path) -> Story:
    load = Load(f"http://127.0.0.1:{port}", system.key("local/default"), ASKED)
    load.start()
    try:
        wait_for(lambda: len(load.answered) > 1, 60, "the load")
        refused = upgrade(system, "/usr/bin/env", free_port())
        done = upgrade(system, str(python), free_port())
        assert done.returncode == 0, done.stderr
        already = len(load.answered)
        wait_for(lambda: len(load.answered) > already + 2, 60, "answers of green")
        standing = orjson.loads(done.stdout)
        runtime = Path(standing["systems"]["green"]["runtime"])
        supervisor = psutil.Process(orjson.loads((runtime / "supervisor.json").read_bytes())["pid"])
        ran = supervisor.cmdline()
    finally:
        load.stop()
    return Story(system, load, standing, done.stderr.splitlines(), refused, ran)


def upgrade(system: RunningSystem, python: str, port: int) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "cluster",
        "upgrade",
        "--python",
        python,
        "--port",
        str(port),
        "--json",
    ]
    return subprocess.run(
        command, check=False, env=dict(system.environment), capture_output=True, text=True, timeout=900
    )


def test_no_request_fails_and_the_longest_stream_ends_whole(story: Story) -> None:
    assert story.load.failed == []
    assert [one for one in story.load.answered if one.status != 200 or not one.whole] == []
    long = [one for one in story.load.answered if one.kind == "long"]
    assert long
    assert {story.evidence(one).attempts[-1].output_tokens for one in long} == {LONG_TOKENS}


def test_green_answers_from_its_own_environment_and_blue_is_gone(story: Story) -> None:
    assert story.standing["live"] == "green"
    assert any("/green/bin/python" in part for part in story.green_ran)
    assert not (story.system.settings.home / "supervisor.json").exists()
    assert orjson.loads(lane(story.system.environment, "status", "--json"))["ready"]


def test_both_write_one_evidence_which_came_from_the_first_schema(story: Story) -> None:
    writers = {writer for one in story.load.answered for writer in story.evidence(one).writers}

    assert len(writers) == 2
    assert outlook(story.system.settings.evidence_file).file == STEPS[-1].version
    assert read_evidence(story.system.settings.evidence_file, "cd" * 16) is not None


def test_an_interpreter_without_this_software_is_refused_before_anything_is_started(story: Story) -> None:
    assert story.refused.returncode == 1
    assert "does not hold this software" in story.refused.stderr
