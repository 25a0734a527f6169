"""What may a server-side tool be given, what does it do, and what does it give back? `tools/NAME.yaml`."""

from typing import Literal

from pydantic import Field, model_validator

from router.bundle.files.tool_sources import ToolSource, leaves
from router.contract import Frozen, Label, Sha256

ApproverRule = Literal["anyone", "another"]
"""Whose yes counts: any approver's, or only that of a key which is not the requester's own."""


class ToolFile(Frozen):
    """`tools/NAME.yaml`: a server-side tool's contract. `parameters` and `result` are JSON Schemas.

    A tool is a lane too: what is put into its arguments runs where it runs, and leaves if it `reaches_outside`. Say so rather too
    often: left out, it counts as outside and under no jurisdiction. Without a `source` it can be planned and not called.

    `label` is that of its results, at least. `cost_usd` is what one call costs. `idempotent`: called twice under one idempotency key it
    acts once, so that a call whose answer was lost may be made again. `pin` is the SHA-256 of the definition that was approved, where the
    source defines the tool itself. `requires_person`: a person approves each call, even of a tool that only reads,
    within `approval_seconds`; `approver`: anybody who may, or only by another key than the one that asked.
    """

    name: str
    description: str
    side_effect: Literal["read", "write", "irreversible"]
    reaches_outside: bool = True
    jurisdictions: tuple[str, ...] = ()
    parameters: dict[str, object]
    result: dict[str, object] = Field(default_factory=dict)
    timeout_seconds: float = Field(default=10.0, gt=0)
    source: ToolSource | None = None
    label: Label = Label()
    cost_usd: float = Field(default=0.0, ge=0)
    idempotent: bool = False
    pin: Sha256 | None = None
    requires_person: bool = False
    approver: ApproverRule = "another"
    approval_seconds: float = Field(default=900.0, gt=0)

    @model_validator(mode="after")
    def _says_where_it_goes(self) -> "ToolFile":
        if self.source is not None and leaves(self.source) and not self.reaches_outside:
            raise ValueError("a tool that is called over HTTP has `reaches_outside: true`")
        return self

    @property
    def needs_person(self) -> bool:
        """Whether nobody but a person may have it called."""
        return self.requires_person or self.side_effect != "read"
