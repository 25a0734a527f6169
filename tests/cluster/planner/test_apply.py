import pytest
import yaml

from cluster.planner.apply import with_scaling
from models.spec import Scaling
from router.errors import BadRequest

TEXT = """\
# Our models.
models:
  - name: small # the fast one
    family: llama
    replicas: 1 # one is enough
    cpus_per_replica: 1

  # The large one.
  - name: large
    family: llama
    scaling: # by hand
      min_replicas: 1 # at night
      max_replicas: 9
      kept_by: nobody
    engine: { dtype: auto }
"""
SETTINGS = Scaling(min_replicas=2, max_replicas=4, target_ongoing_requests=24)


def test_settings_are_put_in_and_nothing_else_is_touched() -> None:
    changed = with_scaling(TEXT, "small", SETTINGS)

    assert (
        changed.replace(
            "    scaling:\n      min_replicas: 2\n      max_replicas: 4\n      target_ongoing_requests: 24\n", ""
        )
        == TEXT
    )
    assert yaml.safe_load(changed)["models"][0]["scaling"] == {
        "min_replicas": 2,
        "max_replicas": 4,
        "target_ongoing_requests": 24,
    }


def test_settings_that_are_there_are_replaced_and_their_comments_kept() -> None:
    changed = with_scaling(TEXT, "large", SETTINGS)

    assert (
        "    scaling: # by hand\n      min_replicas: 2 # at night\n      max_replicas: 4\n      target_ongoing_requests: 24\n    engine:"
        in changed
    )
    assert "kept_by" not in changed
    assert changed.splitlines()[:10] == TEXT.splitlines()[:10]


def test_what_a_plan_does_not_speak_of_stays() -> None:
    asleep = TEXT.replace(
        "min_replicas: 1 # at night", "min_replicas: 0 # at night\n      kv_use: 0.8\n      initial_replicas: 3"
    )

    scaling = yaml.safe_load(with_scaling(asleep, "large", SETTINGS))["models"][1]["scaling"]

    assert (scaling["min_replicas"], scaling["kv_use"], scaling["initial_replicas"]) == (0, 0.8, 3)
    assert scaling["max_replicas"] == 4


def test_spares_keep_a_model_awake_that_slept() -> None:
    asleep = TEXT.replace("min_replicas: 1", "min_replicas: 0")
    spared = Scaling(min_replicas=2, max_replicas=4, spare_replicas=1)

    assert yaml.safe_load(with_scaling(asleep, "large", spared))["models"][1]["scaling"]["min_replicas"] == 2


def test_what_stays_and_does_not_go_with_the_plan_is_told() -> None:
    with pytest.raises(BadRequest, match="initial_replicas"):
        with_scaling(TEXT.replace("max_replicas: 9", "max_replicas: 9\n      initial_replicas: 9"), "large", SETTINGS)


def test_a_second_time_changes_nothing() -> None:
    once = with_scaling(TEXT, "small", SETTINGS)

    assert with_scaling(once, "small", SETTINGS) == once


def test_a_model_in_one_line_is_left_alone() -> None:
    with pytest.raises(BadRequest, match=r"by hand|YAML|models.yaml"):
        with_scaling("models: [{name: small, family: llama}]\n", "small", SETTINGS)


def test_a_model_that_is_not_there_is_told() -> None:
    with pytest.raises(BadRequest, match="small, large"):
        with_scaling(TEXT, "huge", SETTINGS)
