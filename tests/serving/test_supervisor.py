import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from router.bundle import load_bundle
from serving.change.approvers import make_key, trust
from serving.change.errors import NotInForce
from serving.settings import read_settings
from serving.supervisor import CannotStart, Supervision, has_door

pytestmark = pytest.mark.slow

STARTER = Path(__file__).parents[2] / "config" / "starter"


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """The starter bundle, with `egress: none`."""
    bundle = shutil.copytree(STARTER, tmp_path / "bundle")
    lanes = bundle / "lanes.yaml"
    lanes.write_text(lanes.read_text().replace("egress: open", "egress: none"))
    return bundle


def test_where_nothing_leaves_there_is_no_door(sealed: Path) -> None:
    assert not has_door(load_bundle(sealed))
    assert has_door(load_bundle(STARTER))


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
@pytest.mark.parametrize("with_door", [True, False])
def test_where_nothing_leaves_a_provider_s_key_is_refused_at_start(
    sealed: Path, tmp_path: Path, variable: str, with_door: bool
) -> None:
    settings = read_settings(sealed).model_copy(update={"home": tmp_path / "home"})
    supervision = Supervision(settings, {variable: "sk-secret"}, lambda _: None, with_door=with_door)

    with pytest.raises(CannotStart, match=f"{variable} is set here: .*egress: none") as refused:
        supervision.run(lambda: None, 1.0)

    assert "sk-secret" not in str(refused.value)
    assert not settings.home.exists()


def test_lane_up_says_so_and_exits_1(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    result = CliRunner().invoke(app, ["up", str(sealed), "--foreground"])

    assert result.exit_code == 1
    assert "OPENAI_API_KEY is set here" in result.stderr


def test_a_door_under_a_user_of_its_own_is_not_started_along(tmp_path: Path) -> None:
    settings = read_settings(STARTER).model_copy(update={"home": tmp_path, "door_user": "nobody"})

    with pytest.raises(CannotStart, match="--no-door"):
        Supervision(settings, {}, lambda _: None).run(lambda: None, 1.0)


def test_without_its_door_a_node_that_holds_a_providers_key_does_not_start(tmp_path: Path) -> None:
    settings = read_settings(STARTER).model_copy(update={"home": tmp_path})
    supervision = Supervision(settings, {"OPENAI_API_KEY": "sk-secret"}, lambda _: None, with_door=False)

    with pytest.raises(CannotStart, match="OPENAI_API_KEY is set here") as refused:
        supervision.run(lambda: None, 1.0)

    assert "sk-secret" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_bundle_that_is_not_in_force_does_not_start_where_approvers_are_named(tmp_path: Path) -> None:
    settings = read_settings(STARTER).model_copy(update={"home": tmp_path})
    _, public = make_key("ann", tmp_path / "people")
    trust(public, "ann", settings.approvers)

    with pytest.raises(NotInForce, match="lane bundle apply"):
        Supervision(settings, {}, lambda _: None).run(lambda: None, 1.0)
