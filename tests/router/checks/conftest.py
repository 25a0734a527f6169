import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from router.bundle import Bundle
from router.bundle.answer_checks import CheckSpec, compile_check
from router.decide import decide
from router.state import State
from tests.router.checks.ground import Ground, asked


@pytest.fixture(scope="session")
def ground(starter: Bundle) -> Callable[..., Ground]:
    plain = decide(asked(), starter, State())

    def make(*specs: CheckSpec, **changes: Any) -> Ground:
        compiled = {spec.id: compile_check(spec) for spec in specs}
        bundle = dataclasses.replace(starter, checks=compiled)
        return Ground(bundle, plain.model_copy(update={"checks": tuple(compiled), "disclaimer": None} | changes))

    return make
