"""The door as its own process, with the starter bundle: up, asked, down; and what it does when it can't come up."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from router.bundle import Bundle, load_bundle
from router.contract import Label
from router.errors import DoorRefused, LaneUnreachable
from router.lane import LaneCall, LaneEvent, Stop
from router.render import render
from router.scan import scan_text
from serving.door.guard import Allow, Asked, judge
from serving.door.ledger import read_ledger
from serving.door.main import DoorCannotStart, lanes_without_key, listening, provider_keys, rules_of
from serving.door.wire import DoorStatus
from serving.hosted import HostedLane, door_client, door_status
from serving.lockout import Lockout
from serving.permit_keys import KeyUnusable, read_private_key, read_public_key
from serving.secrets import ensure_secrets
from serving.settings import Settings
from tests.providers.stand_in import StandIn
from tests.serving.door.kit import KEY, a_call, a_token, hosted_of, unread, wait_for

pytestmark = pytest.mark.slow

STARTER = Path("config/starter").resolve()


@pytest.fixture(scope="module")
def provider() -> Iterator[StandIn]:
    with StandIn() as standing_in:
        yield standing_in


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, provider: StandIn) -> Bundle:
    """The starter bundle, its provider's address replaced by the stand-in's."""
    root = tmp_path_factory.mktemp("bundles") / "starter"
    shutil.copytree(STARTER, root)
    lanes = root / "lanes.yaml"
    lanes.write_text(lanes.read_text().replace("https://api.openai.com/v1", provider.base_url))
    return load_bundle(root)


@pytest.fixture
def settings(tmp_path: Path, bundle: Bundle) -> Settings:
    made = Settings(home=tmp_path / "home", bundle=bundle.root, models=tmp_path)
    ensure_secrets(made, bundle)
    return made


@contextmanager
def door_process(settings: Settings, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "serving.door.main", "--settings", settings.model_dump_json()]
    process = subprocess.Popen(
        [*command, "--parent", str(os.getpid())],
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        if process.stderr is not None:
            process.stderr.close()


def until_open(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    def accepts() -> bool | None:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        with socket.socket(socket.AF_UNIX) as probe:
            return True if probe.connect_ex(str(settings.door_socket)) == 0 else None

    wait_for(accepts, 60)


def until_it_sends(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    """Wait until the door can read what would leave: only then is any of its lanes on."""
    until_open(settings, process)
    wait_for(lambda: True if any(lane.on for lane in status(settings).lanes.values()) else None, 240)


def ask(settings: Settings, bundle: Bundle, call: LaneCall) -> list[LaneEvent]:
    async def scenario() -> list[LaneEvent]:
        async with door_client(settings.door_socket) as client:
            spec = bundle.lanes[call.lane]
            key = read_private_key(settings.permit_key_file)
            lane = HostedLane(spec, hosted_of(spec), client, key, time.time, unread)
            return [event async for batch in lane.stream(call) for event in batch]

    return asyncio.run(scenario())


def status(settings: Settings) -> DoorStatus:
    async def scenario() -> DoorStatus:
        async with door_client(settings.door_socket) as client:
            return await door_status(client)

    return asyncio.run(scenario())


def test_the_door_comes_up_answers_refuses_and_goes_down_clean(
    settings: Settings, bundle: Bundle, provider: StandIn
) -> None:
    before = len(provider.received)
    call = a_call(org="local", bundle_hash=bundle.hash)
    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_it_sends(settings, process)
        mode = stat.S_IMODE(settings.door_socket.stat().st_mode)
        said = status(settings)
        events = ask(settings, bundle, call)
        with pytest.raises(DoorRefused) as refused:
            ask(settings, bundle, a_call("Charge 4111 1111 1111 1111", org="local", bundle_hash=bundle.hash))
        process.send_signal(signal.SIGTERM)
        code = process.wait(15)
        log = process.stderr.read().decode() if process.stderr else ""

    assert mode == 0o600
    assert said.bundle_hash == bundle.hash
    assert {name for name, lane in said.lanes.items() if lane.on} == {"premium", "long_context", "code", "extraction"}
    assert isinstance(events[-1], Stop)
    assert "protected-data-stays-private" in refused.value.policies
    assert (code, settings.door_socket.exists()) == (0, False)
    assert len(provider.received) == before + 1
    assert [entry.event.kind for entry in read_ledger(settings.ledger_file)] == ["intent", "outcome", "refused"]
    assert provider.key not in log


def test_nothing_is_sent_before_the_doors_deep_scan_is_up(
    settings: Settings, bundle: Bundle, provider: StandIn
) -> None:
    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_open(settings, process)
        said = status(settings)
        with pytest.raises(LaneUnreachable, match="deep scan"):
            ask(settings, bundle, a_call(org="local", bundle_hash=bundle.hash))

    assert not any(lane.on for lane in said.lanes.values())


def test_a_permit_of_the_routers_own_does_not_get_out_what_the_doors_deep_scan_reads(
    settings: Settings, bundle: Bundle, provider: StandIn
) -> None:
    missed_by_the_fast_scan = "Katrine moved to Flateyri in May, and she is unhappy there"
    assert scan_text(missed_by_the_fast_scan) == ()
    before = len(provider.received)
    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_it_sends(settings, process)
        with pytest.raises(DoorRefused) as refused:
            ask(settings, bundle, a_call(missed_by_the_fast_scan, org="local", bundle_hash=bundle.hash))

    assert "protected-data-stays-private" in refused.value.policies
    assert len(provider.received) == before


def test_ctrl_c_ends_it_as_cleanly(settings: Settings, provider: StandIn) -> None:
    with door_process(settings) as process:
        until_open(settings, process)
        process.send_signal(signal.SIGINT)

        assert process.wait(15) == 0
    assert not settings.door_socket.exists()


def test_a_killed_door_leaves_a_socket_that_the_next_one_replaces(
    settings: Settings, bundle: Bundle, provider: StandIn
) -> None:
    call = a_call(org="local", bundle_hash=bundle.hash)
    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_open(settings, process)
        process.kill()
        process.wait(10)
    assert settings.door_socket.is_socket()
    with pytest.raises(LaneUnreachable, match="no door"):
        ask(settings, bundle, call)

    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_it_sends(settings, process)
        events = ask(settings, bundle, call)

    assert isinstance(events[-1], Stop)


def test_a_switch_holds_at_the_running_door_at_once_and_at_the_next_one_too(
    settings: Settings, bundle: Bundle, provider: StandIn
) -> None:
    call = a_call(org="local", bundle_hash=bundle.hash)
    switches = Lockout(settings.lanes_off_folder)
    before = len(provider.received)
    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_it_sends(settings, process)
        ask(settings, bundle, call)
        switches.lock("premium", "it leaks")
        with pytest.raises(LaneUnreachable, match="it leaks"):
            ask(settings, bundle, call)
        said = status(settings)
    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_open(settings, process)
        with pytest.raises(LaneUnreachable, match="it leaks"):
            ask(settings, bundle, call)

    assert not said.lanes["premium"].on
    assert said.lanes["code"].on
    assert len(provider.received) == before + 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a door of another user")
def test_a_door_of_its_own_user_sends_and_shows_its_key_to_nobody(provider: StandIn, bundle: Bundle) -> None:
    probe = ["test", "-r", tempfile.__file__, "-a", "-r", pytest.__file__]
    if subprocess.run(probe, check=False, user="nobody", extra_groups=[]).returncode != 0:
        pytest.skip("nobody may not read this interpreter: it is in somebody's home folder")
    with tempfile.TemporaryDirectory(prefix="lane-door-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        own = shutil.copytree(bundle.root, Path(folder) / "bundle")
        settings = Settings(home=home, bundle=bundle.root, models=home, door_user="nobody", door_bundle=own)
        ensure_secrets(settings, bundle)
        for path in (home, settings.permit_public_file, settings.lanes_off_folder):
            shutil.chown(path, "nobody")
        with door_process(settings, OPENAI_API_KEY=provider.key) as process:
            until_open(settings, process)
            events = ask(settings, bundle, a_call(org="local", bundle_hash=bundle.hash))
            users = psutil.Process(process.pid).username(), settings.ledger_file.owner()
            shown = Path(f"/proc/{process.pid}/environ").read_bytes()
            command = ["cat", f"/proc/{process.pid}/environ", f"/proc/{process.pid}/mem"]
            somebody = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
            neighbour = subprocess.run(command, check=False, capture_output=True, **somebody)

    assert isinstance(events[-1], Stop)
    assert users == ("nobody", "nobody")
    assert provider.key.encode() not in shown
    assert neighbour.stdout == b""
    assert neighbour.stderr.count(b"Permission denied") == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a door of another user")
def test_a_door_of_another_user_asks_for_a_home_of_its_own(settings: Settings) -> None:
    with door_process(settings.model_copy(update={"door_user": "nobody"})) as process:
        code = process.wait(60)
        said = process.stderr.read().decode() if process.stderr else ""

    assert code == 1
    assert "has a home of its own" in said


def test_the_door_judges_by_its_own_copy_and_refuses_permits_of_another(
    settings: Settings, bundle: Bundle, provider: StandIn, tmp_path: Path
) -> None:
    own = shutil.copytree(bundle.root, tmp_path / "own")
    (own / "lanes.yaml").write_text((own / "lanes.yaml").read_text() + "# an older version\n")
    before = len(provider.received)
    with door_process(settings.model_copy(update={"door_bundle": own}), OPENAI_API_KEY=provider.key) as process:
        until_open(settings, process)
        with pytest.raises(DoorRefused, match="another bundle"):
            ask(settings, bundle, a_call(org="local", bundle_hash=bundle.hash))
        said = status(settings)

    assert said.bundle_hash == load_bundle(own).hash != bundle.hash
    assert len(provider.received) == before


RESTRICTED = (
    "Charge 4111 1111 1111 1111, please",
    "My IBAN is DE89 3704 0044 0532 0130 00.",
    "key AKIAIOSFODNN7EXAMPLE secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)


def test_a_permit_forged_with_the_router_s_own_key_carries_nothing_restricted_out(
    settings: Settings, bundle: Bundle, provider: StandIn
) -> None:
    """Whoever holds the node holds its signing key: permits that call these texts public are properly signed, and still refused."""
    before = len(provider.received), provider.connections
    with door_process(settings, OPENAI_API_KEY=provider.key) as process:
        until_open(settings, process)
        for text in RESTRICTED:
            with pytest.raises(DoorRefused, match="the boundary keeps") as refused:
                ask(
                    settings, bundle, a_call(text, org="local", bundle_hash=bundle.hash, label=Label(), risk_tier="low")
                )
            assert refused.value.policies
    kinds = [entry.event.kind for entry in read_ledger(settings.ledger_file)]

    assert kinds == ["refused"] * len(RESTRICTED)
    assert (len(provider.received), provider.connections) == before


def test_where_nothing_leaves_no_door_opens(settings: Settings, bundle: Bundle, tmp_path: Path) -> None:
    sealed = shutil.copytree(bundle.root, tmp_path / "sealed")
    lanes = sealed / "lanes.yaml"
    lanes.write_text(lanes.read_text().replace("egress: open", "egress: none"))

    with door_process(settings.model_copy(update={"bundle": sealed}), OPENAI_API_KEY="sk-secret") as process:
        code = process.wait(60)
        said = process.stderr.read().decode() if process.stderr else ""

    assert code == 1
    assert "there is no door to open" in said
    assert not settings.door_socket.exists()


def test_without_the_router_s_key_it_does_not_open(settings: Settings) -> None:
    settings.permit_public_file.unlink()

    with door_process(settings) as process:
        code = process.wait(60)
        said = process.stderr.read().decode() if process.stderr else ""

    assert code == 1
    assert "permit.pub" in said
    assert "`lane up` makes one" in said
    assert "Traceback" not in said


def test_a_second_door_does_not_take_a_living_one_s_place(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    with listening(path):
        with pytest.raises(DoorCannotStart, match="open at"), listening(path):
            pass

        assert path.is_socket()
    assert not path.exists()


def test_a_path_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    with pytest.raises(DoorCannotStart, match="LANE_HOME"), listening(tmp_path / ("x" * 120)):
        pass


def test_an_empty_key_is_no_key(bundle: Bundle) -> None:
    keys = provider_keys(bundle, {"OPENAI_API_KEY": "  "})

    assert keys == {}
    assert lanes_without_key(bundle.lanes, keys)["premium"] == "no key: OPENAI_API_KEY is not set at the door"


def test_key_files_that_hold_something_else_are_named(tmp_path: Path, settings: Settings) -> None:
    junk = tmp_path / "junk"
    junk.write_text("-----BEGIN NOTHING-----")

    with pytest.raises(KeyUnusable, match="junk"):
        read_private_key(junk)
    with pytest.raises(KeyUnusable, match="junk"):
        read_public_key(junk)
    assert (
        read_private_key(settings.permit_key_file).public_key().public_bytes_raw()
        == read_public_key(settings.permit_public_file).public_bytes_raw()
    )


def test_no_contract_of_the_starter_bundle_keeps_an_open_question_in(bundle: Bundle) -> None:
    rules = rules_of(bundle, KEY.public_key())
    lane = bundle.lanes["premium"]
    for name, schema in bundle.contracts.items():
        call = a_call(org="local", schema_name=name, json_schema=schema)
        body = render(call, hosted_of(lane))
        token = a_token(
            sha256(body).hexdigest(), org="local", region="us", bundle_hash=bundle.hash, label=Label(), expires_at=30
        )

        verdict = judge(Asked(token, "premium", body), rules, 0.0)

        assert isinstance(verdict, Allow), (name, verdict, scan_text(schema))
    assert bundle.contracts
