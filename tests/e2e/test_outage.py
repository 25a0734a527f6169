"""With every hosted lane dark, 200 mixed requests to the real system get an answer or the planned refusal, and nothing protected is sent.

The same drill without Ray and the engine: `tests/serving/test_outage.py`.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from serving.door.ledger import read_ledger
from serving.store import read_evidence
from tests import outage
from tests.e2e.systems import RunningSystem, running_system
from tests.providers.behaviour import Behaviour
from tests.providers.stand_in import StandIn

pytestmark = [pytest.mark.e2e, pytest.mark.exam, pytest.mark.timeout(1200)]
DEADLINE_SECONDS = 60.0
_SLACK_SECONDS = 3.0
"""A small engine takes this long for the answer that shows the recovery."""


@dataclass(frozen=True)
class Drilled:
    """The running system, its key, and the port at which its providers are looked for."""

    system: RunningSystem
    key: str
    port: int


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drilled]:
    port = outage.free_port()
    provider = StandIn(port=port)
    bundle = outage.drill_bundle(tmp_path_factory.mktemp("outage") / "bundle", provider.base_url)
    with running_system(bundle, {"OPENAI_API_KEY": provider.key}) as system:
        key = system.key("local/default")
        wait_for_hosted_lanes(system.address, key)
        yield Drilled(system, key, port)


def wait_for_hosted_lanes(address: str, key: str) -> None:
    """Both deep scans, the router's and the door's, have to be up before a hosted lane is on."""
    deadline = time.monotonic() + 300
    while True:
        listed = httpx2.get(f"{address}/v1/models", headers={"authorization": f"Bearer {key}"}, trust_env=False)
        if "premium" in listed.text:
            return
        assert time.monotonic() < deadline, "no hosted lane came on"
        time.sleep(1.0)


def test_an_outage_of_all_providers_costs_nobody_an_answer_that_can_be_given_at_home(drilled: Drilled) -> None:
    address, asked = drilled.system.address, outage.drill(200, max_tokens=8)
    got, tables = list[outage.Got](), list[str]()

    def phase(name: str, part: list[outage.Asked]) -> None:
        came = asyncio.run(outage.send(address, drilled.key, part, DEADLINE_SECONDS))
        tables.append(outage.table(name, came))
        assert outage.faults_of(came, DEADLINE_SECONDS) == []
        got.extend(came)

    phase("connections refused", asked[:70])
    with StandIn(port=drilled.port) as provider:
        provider.behave(Behaviour(status=503))
        phase("503", asked[70:140])
        provider.behave(Behaviour(half_open=True))
        phase("half-open", asked[140:])

        provider.behave(Behaviour())
        seconds = asyncio.run(outage.seconds_to_recovery(address, drilled.key, 60.0))
        received = outage.received_by(provider)
    tables.append(f"recovered after {seconds:.1f} s, a breaker's period is {outage.OPEN_SECONDS:g} s")
    sys.stdout.write("\n".join(tables) + "\n")

    assert len(got) == 200
    assert outage.leaked(got, received) == []
    assert seconds <= outage.OPEN_SECONDS + _SLACK_SECONDS
    ledger = "\n".join(entry.model_dump_json() for entry in read_ledger(drilled.system.settings.ledger_file))
    assert ledger
    assert outage.leaked(got, ledger) == []
    assert all(_is_finished(drilled.system.settings.evidence_file, one) for one in got)


def _is_finished(evidence: Path, one: outage.Got) -> bool:
    record = read_evidence(evidence, str(one.trace))
    return record is not None and record.finished is not None
