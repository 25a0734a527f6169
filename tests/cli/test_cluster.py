import time

import pytest

from cli.cluster import _print_models
from serving.status import ModelStatus, Replaced, ScalingStep


def test_status_says_how_many_replicas_there_are_and_why_that_changed_last(capsys: pytest.CaptureFixture[str]) -> None:
    now = time.time()
    step = ScalingStep(at=now - 65, before=1, after=2, because="18.2 requests open at 4 a replica")
    gone = Replaced(at=now - 3, because="no sign of life for 61 s with 3 requests open (limit 60 s)")

    small = ModelStatus(
        running=1, target=2, least=1, most=4, lacks="1 GPU of class h100", steps=(step,), replaced=(gone,)
    )

    _print_models({"small": small})

    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "small 1 of 2 replicas (of 1 to 4)",
        "no node has room for one more: 1 GPU of class h100",
        "1 to 2, 0:01:05 ago: 18.2 requests open at 4 a replica",
        "a replica replaced, 0:00:03 ago: no sign of life for 61 s with 3 requests open (limit 60 s)",
    ]


def test_a_fixed_number_of_replicas_has_no_bounds_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    _print_models({"small": ModelStatus(running=1, target=1, least=1, most=1)})

    assert capsys.readouterr().out.split() == ["small", "1", "of", "1", "replicas"]
