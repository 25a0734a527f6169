import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from router.bundle.load import bundle_hash
from tests.serving.change.kit import a_bundle

pytestmark = pytest.mark.slow


class Desk:
    """A home, a bundle, and the commands as a person types them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.people = folder / "home", folder / "people"
        self.bundle = a_bundle(folder / "bundle")

    def lane(self, *arguments: str) -> Result:
        environment = {"LANE_HOME": str(self.home), "LANE_BUNDLE": str(self.bundle), "COLUMNS": "200"}
        return CliRunner().invoke(app, ["bundle", *arguments], env=environment)

    def name(self, *names: str) -> None:
        for name in names:
            assert self.lane("keygen", name, "--out", str(self.people)).exit_code == 0
            assert self.lane("trust", str(self.people / f"{name}.pub")).exit_code == 0

    def sign(self, name: str) -> Result:
        return self.lane("sign", "--key", str(self.people / f"{name}.key"), "--json")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_from_two_approvers_to_a_bundle_in_force_and_its_history(desk: Desk) -> None:
    desk.name("ann", "bob")
    signed = [json.loads(desk.sign(name).stdout) for name in ("ann", "bob")]

    applied = desk.lane("apply", "--json")
    history = desk.lane("history", "--json")

    assert [one["approvers_needed"] for one in signed] == [2, 2]
    assert signed[0]["bundle_hash"] == bundle_hash(desk.bundle)
    body = json.loads(applied.stdout)
    assert (applied.exit_code, body["applied"], body["approvers"]) == (0, True, ["ann", "bob"])
    (entry,) = [json.loads(line) for line in history.stdout.splitlines()]
    assert (history.exit_code, entry["in_force"], entry["hash"]) == (0, True, body["entry"])
    table = desk.lane("history")
    assert "in force" in table.stdout
    assert "ann, bob" in table.stdout


def test_too_few_signatures_are_exit_1_with_what_is_missing(desk: Desk) -> None:
    desk.name("ann", "bob")
    desk.sign("ann")

    refused = desk.lane("apply", "--json")

    assert refused.exit_code == 1
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "change_refused"
    assert "lane bundle sign" in error["message"]
    assert desk.lane("history").exit_code == 0


def test_a_bundle_that_does_not_check_is_not_signed(desk: Desk) -> None:
    desk.name("ann")
    (desk.bundle / "ladders.yaml").write_text("ladders: [{ name: home, steps: [{ lane: nowhere }] }]")

    signed = desk.sign("ann")

    assert signed.exit_code == 1
    assert "nowhere" in json.loads(signed.stdout)["error"]["message"]
    assert not (desk.bundle / ".signatures").exists()


def test_going_back_is_one_command(desk: Desk) -> None:
    desk.name("ann", "bob")
    first = bundle_hash(desk.bundle)
    desk.sign("ann")
    desk.sign("bob")
    assert desk.lane("apply").exit_code == 0
    tiers = desk.bundle / "tiers.yaml"
    tiers.write_text(tiers.read_text().replace("raise_at: 0.5", "raise_at: 0.4"))
    desk.sign("ann")
    assert desk.lane("apply").exit_code == 0

    back = desk.lane("rollback", "--json")

    assert back.exit_code == 0
    assert json.loads(back.stdout)["bundle_hash"] == first


def test_a_home_without_approvers_says_that_it_is_unsigned(desk: Desk) -> None:
    assert "unsigned" in desk.lane("history").stdout
    assert "unsigned" in desk.lane("approvers").stdout


def test_a_history_that_was_altered_is_exit_1(desk: Desk) -> None:
    desk.home.mkdir()
    (desk.home / "changes.sqlite").write_bytes(b"x" * 4096)

    assert desk.lane("history").exit_code == 1


def test_a_key_is_not_made_twice_and_its_private_half_is_not_printed(desk: Desk) -> None:
    made = desk.lane("keygen", "ann", "--out", str(desk.people), "--json")

    body = json.loads(made.stdout)
    assert len(body["public_key"]) == 64
    assert "PRIVATE" not in made.output
    assert desk.lane("keygen", "ann", "--out", str(desk.people)).exit_code == 2


def test_the_status_says_which_mode_holds_here(desk: Desk) -> None:
    def bundles() -> dict[str, object]:
        environment = {"LANE_HOME": str(desk.home), "LANE_BUNDLE": str(desk.bundle)}
        body: dict[str, dict[str, object]] = json.loads(
            CliRunner().invoke(app, ["status", "--json"], env=environment).stdout
        )
        return body["bundles"]

    before = bundles()
    desk.name("ann", "bob")
    named = bundles()
    desk.sign("ann")
    desk.sign("bob")
    desk.lane("apply")

    assert before == {"mode": "unsigned", "in_force": None, "objection": None}
    assert named == {"mode": "nothing_approved", "in_force": None, "objection": None}
    assert bundles() == {"mode": "approved", "in_force": bundle_hash(desk.bundle), "objection": None}
