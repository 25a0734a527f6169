"""`lane cluster init`, `token`, `join`, `leave` as they are typed, below a prefix, without systemd and without Ray."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from cli.nodes import SLASH, systemd
from cluster.nodes.errors import UnitsNotStarted
from cluster.nodes.layout import Layout
from tests.cluster.nodes.heads import Clock, enrolling

ROOT = Path(__file__).parents[2]
SITE = str(ROOT / "config/site.example.yaml")
COMMON = {"memory_gib": 8, "cpus": 4, "site": "here", "jurisdiction": "de"}
NODES = [
    {"name": "h", "head": True, "private": False, "address": "127.0.0.1"},
    {"name": "edge", "private": False, "may_reach_out": True},
]


def lane(*arguments: str, code: int = 0, **environment: str) -> str:
    done = CliRunner().invoke(app, ["cluster", *arguments], env=environment)
    assert done.exit_code == code, done.output
    return str(done.stdout)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("head")
    file = folder / "nodes.yaml"
    file.write_text(yaml.safe_dump({"nodes": [COMMON | node for node in NODES]}))
    root = folder / "root"
    bundle = str(ROOT / "config/starter")
    printed = lane("init", str(file), SITE, "--bundle", bundle, "--root", str(root), "--json")
    lines = [json.loads(line) for line in printed.splitlines()]
    assert all(Path(line["file"]).exists() for line in lines[:-1])
    assert lines[-1]["uses"] == 1
    return root


@pytest.mark.slow
def test_init_is_done_once(head: Path) -> None:
    refused = lane("init", str(head.parent / "nodes.yaml"), SITE, "--root", str(head), "--json", code=1)

    assert json.loads(refused.splitlines()[-1])["error"]["code"] == "already_set_up"


def test_a_machine_joins_with_a_token_in_the_environment_and_the_token_is_told_nowhere(
    head: Path, tmp_path: Path
) -> None:
    token = json.loads(lane("token", "--root", str(head), "--json"))["join_token"]
    root = tmp_path / "edge"

    with enrolling(Layout(head), Clock(now=0.0)) as address:
        printed = lane("join", address, "--name", "edge", "--root", str(root), LANE_JOIN_TOKEN=token)
        again = lane("join", address, "--name", "edge", "--root", str(root), "--json", code=1, LANE_JOIN_TOKEN=token)

    secret = token.split(".")[2]
    assert "lane-door.service" in printed
    assert json.loads(again.splitlines()[-1])["error"]["code"] == "already_set_up"
    assert secret not in printed + again
    assert not [
        path for path in [*root.rglob("*"), *head.rglob("*")] if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert "edge may join again." in lane("leave", "edge", "--root", str(head))
    assert "removed" in lane("leave", "--root", str(root))
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_what_is_no_token_is_bad_input_and_is_not_repeated(tmp_path: Path) -> None:
    printed = lane("join", "127.0.0.1:9", "--root", str(tmp_path), "--json", code=2, LANE_JOIN_TOKEN="hunter2")

    assert json.loads(printed)["error"]["code"] == "join_token_malformed"
    assert "hunter2" not in printed


def test_status_on_a_machine_that_never_joined_says_what_to_do(tmp_path: Path) -> None:
    printed = lane("status", "--root", str(tmp_path), "--json", code=1)

    assert "lane cluster init" in json.loads(printed)["error"]["message"]


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for systemd: note each call, and fail where a unit is called broken."""
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\ncase "$*" in *broken*) exit 1;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "calls"


def test_the_door_is_not_started_before_it_has_its_key_and_it_is_said_what_comes_next(
    systemctl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    systemd(SLASH, [Path("lane-ray.service"), Path("lane-door.service")], start=True)

    assert systemctl.read_text().splitlines() == ["daemon-reload", "enable --now lane-ray.service"]
    assert "door.env" in capsys.readouterr().err


def test_a_machine_with_a_door_alone_has_nothing_started(systemctl: Path) -> None:
    systemd(SLASH, [Path("lane-door.service")], start=True)

    assert not systemctl.exists()


def test_a_unit_that_does_not_start_leaves_the_machine_set_up_and_says_which_command_starts_it(systemctl: Path) -> None:
    with pytest.raises(UnitsNotStarted, match=r"set up.*\n.*systemctl enable --now lane-broken\.service"):
        systemd(SLASH, [Path("lane-broken.service")], start=True)

    assert "broken" in systemctl.read_text()


def test_without_systemd_it_is_said_rather_than_raised_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnitsNotStarted, match=r"systemctl enable --now lane-ray\.service"):
        systemd(SLASH, [Path("lane-ray.service")], start=True)


def test_a_machine_that_never_joined_is_held_against_the_line_it_is_given_and_found_unfit() -> None:
    node = COMMON | {"name": "any", "gpu": "h100", "gpu_count": 64}

    printed = lane("check", "--node", json.dumps(node), "--json", code=1)

    assert json.loads(printed.splitlines()[0])["verdict"] == "fail"


def test_a_line_that_describes_no_machine_is_bad_input() -> None:
    printed = lane("check", "--node", '{"name": "any"}', "--json", code=2)

    assert json.loads(printed)["error"]["code"] == "nodes_invalid"
