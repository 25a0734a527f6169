"""What may a server-side tool be given, what does it do, and what does it give back? `tools/NAME.yaml`."""

from typing import Literal

from pydantic import Field

from router.contract import Frozen


class ToolFile(Frozen):
    """`tools/NAME.yaml`: a server-side tool's contract. `parameters` and `result` are JSON Schemas.

    A tool is a lane too: what is put into its arguments runs where it runs, and leaves if it `reaches_outside`. Say so rather too
    often: left out, it counts as outside and under no jurisdiction.
    """

    name: str
    description: str
    side_effect: Literal["read", "write", "irreversible"]
    reaches_outside: bool = True
    jurisdictions: tuple[str, ...] = ()
    parameters: dict[str, object]
    result: dict[str, object] = Field(default_factory=dict)
    timeout_seconds: float = Field(default=10.0, gt=0)
