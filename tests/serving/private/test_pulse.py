"""Ray is imported here (it warns of itself, and takes seconds), so these are marked slow."""

import importlib
import warnings
from typing import Any

import pytest

from router.queueing import EngineLoad
from router.testing import ManualClock

pytestmark = pytest.mark.slow


def pulse_module() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("serving.private.pulse")


def a_pulse(beat: int, application: str = "a") -> Any:
    return pulse_module().Pulse(application=application, beat=beat, open_requests=3, running=2, waiting=1, kv_use=0.5)


def test_replicas_are_known_by_application_while_their_beat_moves() -> None:
    clock, forgotten = ManualClock(), list[str]()
    pulses = pulse_module().Pulses(clock.monotonic, dict, forgotten.append)
    pulses.hear({"one": a_pulse(1), "two": a_pulse(1), "other": a_pulse(1, "b")})

    assert pulses.of("a") == (EngineLoad(3, 2, 1, 0.5),) * 2
    clock.advance(4.0)
    pulses.hear({"one": a_pulse(5), "two": a_pulse(1)})
    clock.advance(2.0)
    assert len(pulses.of("a")) == 1
    assert pulses.of("b") == ()
    assert forgotten == []


def test_the_word_of_a_replica_that_is_gone_is_taken_out_of_the_store() -> None:
    clock, forgotten = ManualClock(), list[str]()
    pulses = pulse_module().Pulses(clock.monotonic, dict, forgotten.append)
    pulses.hear({"one": a_pulse(1)})
    clock.advance(61.0)
    pulses.hear({"one": a_pulse(1)})

    assert forgotten == ["one"]
