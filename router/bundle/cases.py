"""What does the bundle itself say should happen with a request? Its own cases, in `tests.yaml` and `tests/*.yaml`.

A case is a request, as a line of `lane decide`, and what its decision must be. `lane policy test` tries them.
"""

from typing import Any

from pydantic import AliasChoices, Field, model_validator

from router.contract import Action, Frozen, RiskTier


class Expected(Frozen):
    """What a decision must be. Only what is written is compared; `lane:` without a value means that no lane may answer.

    `policies` must all be among those that fired; `tools` are all the tools, in any order; `closed` must all be closed, and so may not
    be on the ladder.
    """

    action: Action | None = None
    route: str | None = None
    lane: str | None = None
    risk_tier: RiskTier | None = Field(default=None, validation_alias=AliasChoices("tier", "risk_tier"))
    policies: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _expects_something(self) -> "Expected":
        if not self.model_fields_set:
            raise ValueError(
                "a case expects something: `route`, `lane`, `tier`, `action`, `policies`, `tools` or `closed`"
            )
        return self


class Case(Frozen):
    """A request and its expected decision. `request` takes what a line of `lane decide` takes."""

    name: str
    request: dict[str, Any]
    expect: Expected


class CasesFile(Frozen):
    """`tests.yaml`, or a file in `tests/`."""

    cases: tuple[Case, ...]
