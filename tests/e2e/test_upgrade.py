"""A bundle with another engine comes into service under load: nothing fails, the long stream ends whole, a tightening holds at once.

Faults 28 and 36. One story, told once for the module: a home with two approvers, a hosted lane that leads to a stand-in, the real engine.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from router.contract import Evidence
from serving.change.history import in_force
from serving.door.ledger import LedgerEntry, read_ledger
from serving.store import read_evidence
from tests.e2e.steady_load import Answered, Asked, Load, ask, wait_for
from tests.e2e.systems import MODEL, RunningSystem, lane, running_system
from tests.providers.stand_in import StandIn
from tests.serving.change.kit import Place, a_place

pytestmark = pytest.mark.e2e
QUESTION = "What is the capital of France?"
LONG_TOKENS = 240
ASKED = (
    Asked("long", "private", "Tell me a very long story about the sea.", LONG_TOKENS),
    Asked("short", "private", QUESTION, 4),
    Asked("open", "auto", QUESTION, 4),
)
HOSTED = Asked("hosted", "premium", QUESTION, 4)
SURGE_SECONDS, HOSTED_SECONDS = 240.0, 90.0
KEY = "OPENAI_API_KEY"


@dataclass
class Story:
    """What happened."""

    system: RunningSystem
    load: Load
    first: str
    second: str
    applied_at: float
    in_service_at: float
    phases: list[str]
    refused: subprocess.CompletedProcess[str]
    status: dict[str, Any]

    def evidence(self, answered: Answered) -> Evidence:
        record = read_evidence(self.system.settings.evidence_file, answered.trace_id)
        assert record is not None
        return record

    def under(self, bundle_hash: str) -> list[Answered]:
        """The requests that began under this bundle."""
        return [
            one for one in self.load.answered if self.evidence(one).decisions[0].decision.bundle_hash == bundle_hash
        ]

    @property
    def ledger(self) -> list[LedgerEntry]:
        return list(read_ledger(self.system.settings.ledger_file))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    place = a_place(tmp_path_factory.mktemp("up"))
    place.name_approvers("ann", "bob")
    with StandIn() as provider:
        place.edit("lanes.yaml", "https://api.openai.com/v1", provider.base_url)
        place.edit("tenants.yaml", "- org: local", "- org: local\n    keys: [{ id: default, minted: true }]")
        place.edit("models.yaml", "kv_cache_gib: 1 ", "kv_cache_gib: 0.25 ")
        first = place.apply_signed("ann", "bob")
        environment = {"LANE_HOME": str(place.settings.home), KEY: provider.key}
        with running_system(environment=environment) as system:
            yield _tell(system, place, first)


def _tell(system: RunningSystem, place: Place, first: str) -> Story:
    load = Load(system.address, system.key("local/default"), ASKED)
    wait_for(lambda: ask(load.address, load.key, HOSTED).status == 200, HOSTED_SECONDS, "the hosted lane")
    load.start()
    try:
        wait_for(lambda: {one.kind for one in load.answered} >= {"short", "open"}, 60, "the load")
        refused = apply_broken(system, place)
        place.edit("tenants.yaml", "- org: local", "- org: local\n    egress: none")
        place.edit("models.yaml", "kv_cache_gib: 0.25 ", "kv_cache_gib: 0.26 ")
        second = place.apply_signed("ann")
        entry = in_force(place.settings.changes_file)
        assert entry is not None
        phases: list[str] = []

        def in_service() -> bool:
            status = status_of(system)
            roll = status.get("roll") or {}
            if roll and phases[-1:] != [roll["phase"]]:
                phases.append(roll["phase"])
            assert not roll.get("because"), roll
            return status["bundle_hash"] == second

        wait_for(in_service, SURGE_SECONDS, "the new version")
        in_service_at = time.time()
        wait_for(lambda: not in_service() or status_of(system).get("roll") is None, SURGE_SECONDS, "the old one's end")
        already = len(load.answered)
        wait_for(lambda: len(load.answered) > already + 3, 60, "answers under the new version")
    finally:
        load.stop()
    return Story(system, load, first, second, entry.at, in_service_at, phases, refused, status_of(system))


def apply_broken(system: RunningSystem, place: Place) -> subprocess.CompletedProcess[str]:
    """Try to apply a bundle whose routes name a lane that is not there."""
    broken = shutil.copytree(place.bundle, place.bundle.with_name("broken"))
    routes = broken / "routes.yaml"
    routes.write_text(routes.read_text().replace("lane: premium", "lane: nowhere"))
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "bundle", "apply", str(broken)],
        check=False,
        env=dict(system.environment),
        capture_output=True,
        text=True,
    )


def status_of(system: RunningSystem) -> dict[str, Any]:
    written: dict[str, Any] = orjson.loads((system.settings.home / "status.json").read_bytes())
    return written


def test_no_request_fails_while_one_engine_takes_the_place_of_another(story: Story) -> None:
    assert story.load.failed == []
    bad = [one for one in story.load.answered if one.status != 200 or not one.whole]
    assert bad == []
    assert {one.kind for one in story.load.answered} == {"long", "short", "open"}


def test_the_stream_that_was_open_at_the_switch_ends_whole_under_the_version_it_began_with(story: Story) -> None:
    across = [one for one in story.under(story.first) if one.kind == "long" and one.ended > story.in_service_at]

    assert across
    for one in across:
        record = story.evidence(one)
        assert {decided.decision.bundle_hash for decided in record.decisions} == {story.first}
        assert record.attempts[-1].output_tokens == LONG_TOKENS


def test_evidence_names_the_bundle_that_each_request_ran_under(story: Story) -> None:
    by_time = sorted((one for one in story.load.answered if one.kind == "short"), key=lambda one: one.began)
    hashes = [story.evidence(one).decisions[0].decision.bundle_hash for one in by_time]

    assert set(hashes) == {story.first, story.second}
    assert hashes == sorted(hashes, key=[story.first, story.second].index), (
        "none runs under the old one after the new one"
    )


def test_from_the_moment_a_tightening_is_in_force_nothing_leaves_though_the_old_version_still_serves(
    story: Story,
) -> None:
    sent = [entry for entry in story.ledger if entry.event.kind == "intent"]
    turned = [one for one in story.under(story.first) if one.kind == "open" and one.began > story.applied_at]

    assert sent, "before it, open questions left"
    assert [entry for entry in sent if entry.at > story.applied_at] == []
    assert turned, "the old version went on serving while the new engine started"
    for one in turned:
        record = story.evidence(one)
        assert "another bundle is in force" in {decided.because for decided in record.decisions}
        assert record.attempts[-1].lane == "private"


def test_an_invalid_bundle_is_refused_and_the_one_in_service_goes_on(story: Story) -> None:
    assert story.refused.returncode == 1, story.refused.stderr
    assert "nowhere" in story.refused.stderr


def test_the_new_engine_is_ready_before_the_switch_and_the_old_one_is_gone_at_the_end(story: Story) -> None:
    assert [phase for phase in story.phases if phase.startswith("starting")] == ["starting 1 model(s)"]
    assert story.status["replicas"][f"private-{MODEL}"] == {"RUNNING": 1}
    assert "bundle_hash" in orjson.loads(lane(story.system.environment, "status", "--json"))["status"]
