"""`lane keys`: a key is shown once, and its entry does what it says when it is pasted into the bundle."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli.main import app
from router.bundle import load_bundle
from serving.api.auth import Keyring
from serving.lockout import Lockout
from serving.secrets import ensure_secrets
from serving.settings import Settings

pytestmark = pytest.mark.slow

STARTER = Path("config/starter").resolve()
Lane = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    bundle = tmp_path / "bundle"
    shutil.copytree(STARTER, bundle)
    return Settings(home=tmp_path / "home", bundle=bundle, models=tmp_path)


@pytest.fixture
def lane(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Lane:
    monkeypatch.setenv("LANE_HOME", str(settings.home))
    monkeypatch.setenv("LANE_BUNDLE", str(settings.bundle))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def paste(settings: Settings, *entries: dict[str, Any]) -> None:
    """Put entries below the keys of org local, in the place of those with the same ID."""
    file = settings.bundle / "tenants.yaml"
    tenants = yaml.safe_load(file.read_text())
    kept = [key for key in tenants["tenants"][0]["keys"] if key["id"] not in {entry["id"] for entry in entries}]
    tenants["tenants"][0]["keys"] = [*kept, *entries]
    file.write_text(yaml.safe_dump(tenants))


def keyring(settings: Settings) -> Keyring:
    bundle = load_bundle(settings.bundle)
    ensure_secrets(settings, bundle)
    revoked = Lockout(settings.keys_revoked_folder)
    return Keyring(bundle.tenants.values(), settings.keys_file, revoked, lambda: 1_900_000_000.0)


def test_a_new_key_opens_once_its_entry_is_in_the_bundle(lane: Lane, settings: Settings) -> None:
    made = json.loads(lane("keys", "new", "local/ci", "--scope", "chat", "--lane", "private", "--json").stdout)

    paste(settings, made["entry"])

    caller = keyring(settings).caller(f"Bearer {made['key']}")
    assert (caller.org, caller.key.id, caller.key.scopes, caller.key.lanes) == ("local", "ci", ("chat",), ("private",))
    assert made["key"] not in json.dumps(made["entry"])


def test_what_a_person_reads_can_be_pasted_as_it_is(lane: Lane) -> None:
    shown = lane("keys", "new", "local/ci", "--days", "30", "--clearance", "internal").stdout.splitlines()

    [entry] = yaml.safe_load("\n".join(shown[3:]))
    assert entry["sha256"] == hashlib.sha256(shown[1].encode()).hexdigest()
    assert entry["clearance"] == "internal"
    assert "expires_at" in entry


@pytest.mark.parametrize(
    "arguments", [("ci",), ("local/",), ("local/ci", "--scope", "fly"), ("local/ci", "--days", "0")]
)
def test_bad_input_is_exit_2(lane: Lane, arguments: tuple[str, ...]) -> None:
    assert lane("keys", "new", *arguments).exit_code == 2


def test_a_key_in_the_bundle_is_succeeded_by_one_with_the_same_limits(lane: Lane, settings: Settings) -> None:
    first = json.loads(lane("keys", "new", "local/ci", "--lane", "private", "--json").stdout)
    paste(settings, first["entry"])

    second = json.loads(lane("keys", "rotate", "local/ci", "--overlap-days", "36500", "--json").stdout)
    paste(settings, second["old"], second["entry"])

    ring = keyring(settings)
    assert second["entry"]["id"] == "ci-2"
    assert ring.caller(f"Bearer {second['key']}").key.lanes == ("private",)
    assert ring.caller(f"Bearer {first['key']}").key.expires_at is not None


def test_a_minted_key_is_replaced_at_once(lane: Lane, settings: Settings) -> None:
    ring = keyring(settings)
    before = json.loads(settings.keys_file.read_text())["local/default"]
    ring.caller(f"Bearer {before}")

    result = lane("keys", "rotate", "local/default")

    after = json.loads(settings.keys_file.read_text())["local/default"]
    assert ring.caller(f"Bearer {after}").key.id == "default"
    with pytest.raises(Exception, match="not known"):
        ring.caller(f"Bearer {before}")
    assert after not in result.output
    assert settings.keys_file.stat().st_mode & 0o777 == 0o600


def test_a_revoked_key_is_closed_and_listed_so(lane: Lane, settings: Settings) -> None:
    ring = keyring(settings)
    key = json.loads(settings.keys_file.read_text())["local/default"]

    revoked = lane("keys", "revoke", "local/default", "--because", "leaked", "--json")

    with pytest.raises(Exception, match="was revoked"):
        ring.caller(f"Bearer {key}")
    assert json.loads(revoked.stdout)["state"] == "revoked"
    row = next(
        row for row in map(json.loads, lane("keys", "list", "--json").stdout.splitlines()) if row["id"] == "default"
    )
    assert (row["id"], row["state"]) == ("default", "revoked")
    assert key not in lane("keys", "list").stdout


def test_a_key_that_is_not_there_is_bad_input(lane: Lane) -> None:
    assert lane("keys", "revoke", "local/nobody").exit_code == 2
    assert lane("keys", "revoke", "local/default").exit_code == 2
