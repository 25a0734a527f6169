"""Which words may the contract's fields hold? Levels, tiers, causes, actions; and what every value of the contract is."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

CONTRACT_VERSION: Final = "1"

Level = Literal["public", "internal", "confidential", "restricted"]
LEVELS: Final[tuple[Level, ...]] = ("public", "internal", "confidential", "restricted")
RiskTier = Literal["low", "elevated", "high", "restricted"]
RISK_TIERS: Final[tuple[RiskTier, ...]] = ("low", "elevated", "high", "restricted")
Concern = Literal["clear", "suspected", "flagged"]
"""How much a request looks like an attack, or like help to do harm: an alarm's score, in bands that the bundle sets."""
CONCERNS: Final[tuple[Concern, ...]] = ("clear", "suspected", "flagged")
Channel = Literal["web", "app", "api"]
Task = Literal["generate", "embed"]
Mode = Literal["chat", "batch"]
Cause = Literal[
    "start",
    "boundary",
    "timeout",
    "connection",
    "overload",
    "rate_limit",
    "schema_failure",
    "refusal",
    "stream_cut",
    "budget",
    "check",
]
"""Why a rung is tried: `start` opens a ladder, `boundary` follows a rung that policy closed, the rest follow a failure.

`stream_cut`: an answer broke off after its first piece. `budget`: what it may cost is used up. `check`: a look at
the answer withheld it."""
Effect = Literal["permit", "forbid", "default_deny", "route", "tier", "profile"]
Action = Literal["answer", "refuse", "approval", "clarify"]

TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$")]


class Frozen(BaseModel):
    """A value of the contract: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
