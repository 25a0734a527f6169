import gc

from models.spec import ModelSpec
from router.queueing import EngineLoad
from serving.admission import Rooms

MODEL = ModelSpec(
    name="small", family="llama", source="x", folder="x", licence="x", context_tokens=4096, max_ongoing_requests=32
)


def rooms(loads: dict[str, tuple[EngineLoad, ...]], doors: int = 1) -> Rooms:
    return Rooms(lambda application: loads.get(application, ()), lambda: doors, lambda: 0.0)


def test_lanes_of_one_model_share_a_gate_as_long_as_one_of_them_is_there() -> None:
    made = rooms({})
    gate = made.gate("model-small", MODEL)

    assert made.gate("model-small", MODEL) is gate
    assert made.gate("model-other", MODEL) is not gate
    del gate
    gc.collect()
    assert len(made._gates) == 0


def test_a_lane_with_a_limit_has_a_gate_of_its_own_in_every_version_that_gives_it_that_limit() -> None:
    made = rooms({})
    gate = made.gate_of_lane("premium", 3)

    assert made.gate_of_lane("premium", 3) is gate
    assert made.gate_of_lane("premium", 4) is not gate
    assert gate._room(0) == 3


def test_a_model_that_nothing_is_heard_of_has_the_room_of_its_settings() -> None:
    assert rooms({}).gate("a", MODEL)._room(0) == 32
    assert rooms({}).gate("a", MODEL.model_copy(update={"replicas": 3}))._room(0) == 96


def test_what_the_engines_say_makes_the_room_and_the_doors_share_it() -> None:
    loads = {"a": (EngineLoad(12, 8, 4, 0.2), EngineLoad())}

    assert rooms(loads).gate("a", MODEL)._room(0) == 12 + 32
    assert rooms(loads, doors=2).gate("a", MODEL)._room(0) == 22
