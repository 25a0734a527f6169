from pathlib import Path

import pytest

from serving.change.approvers import make_key, trust
from serving.change.errors import NotInForce
from serving.settings import read_settings
from serving.supervisor import CannotStart, Supervision

STARTER = Path(__file__).parents[2] / "config" / "starter"


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
