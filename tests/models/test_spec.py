import pytest
from pydantic import ValidationError

from models.spec import ModelSpec, Scaling


def model(scaling: Scaling | None = None, replicas: int = 1) -> ModelSpec:
    return ModelSpec(
        name="small",
        family="llama",
        source="x",
        folder="small",
        licence="x",
        context_tokens=4096,
        scaling=scaling,
        replicas=replicas,
    )


@pytest.mark.parametrize(("now", "first"), [(0, 2), (3, 3), (9, 4)])
def test_a_model_that_is_exchanged_starts_with_what_runs_within_its_bounds(now: int, first: int) -> None:
    spec = model(Scaling(min_replicas=1, max_replicas=4, initial_replicas=2))

    assert spec.starting_with(now).first_replicas == first


def test_a_fixed_number_of_replicas_stays() -> None:
    spec = model(replicas=3)

    assert spec.starting_with(9) == spec
    assert (spec.least_replicas, spec.first_replicas, spec.most_replicas) == (3, 3, 3)


def test_without_a_first_number_the_least_start() -> None:
    assert model(Scaling(min_replicas=0, max_replicas=4)).first_replicas == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_replicas": 3, "max_replicas": 2},
        {"min_replicas": 1, "max_replicas": 3, "spare_replicas": 1},
        {"min_replicas": 1, "max_replicas": 3, "initial_replicas": 4},
    ],
)
def test_bounds_that_contradict_each_other_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="replicas"):
        Scaling(**wrong)


def test_a_target_that_no_replica_can_reach_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_ongoing_requests"):
        model(Scaling(max_replicas=2, target_ongoing_requests=129))
