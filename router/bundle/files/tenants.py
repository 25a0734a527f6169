"""Who may ask, for what, with which key? `tenants.yaml`."""

from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, Field, field_validator, model_validator

from router.bundle.files.lanes import Egress
from router.contract import Frozen, Label, Level

Scope = Literal["chat", "route", "evidence", "approve", "answer"]
"""What a key may be used for: to have requests answered, to have them decided only, to read its tenant's evidence, to grant or deny
approvals, to answer what was put before people."""
DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("chat", "route", "evidence")
"""What a key may do that lists no scopes: approving and answering are given on purpose."""


class ApiKey(Frozen):
    """A key's name and the SHA-256 of the key. `minted: true` instead of a hash: `lane up` makes the key on this box.

    It opens from `not_before` until `expires_at`, for its `scopes` and its `lanes` (none listed: all of its tenant's). `jurisdictions`
    join the label of every request; evidence whose label is above `clearance` is not shown, and nothing above it looked up or
    approved. `approves`: its holder's yes counts.
    """

    id: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    minted: bool = False
    not_before: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    scopes: tuple[Scope, ...] = DEFAULT_SCOPES
    lanes: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    clearance: Level = "restricted"
    approves: bool = False

    @model_validator(mode="after")
    def _hash_or_minted(self) -> "ApiKey":
        if (self.sha256 is None) != self.minted:
            raise ValueError("an API key has either `sha256` or `minted: true`")
        if self.not_before is not None and self.expires_at is not None and self.expires_at <= self.not_before:
            raise ValueError("an API key expires after it begins: `expires_at` is not later than `not_before`")
        return self


class DailyBudget(Frozen):
    """What a tenant may use in one day of its `zone` (an IANA name). None: without limit.

    `latency_seconds`: for how long in all its requests may keep lanes busy.
    """

    cost_usd: float | None = Field(default=None, ge=0)
    latency_seconds: float | None = Field(default=None, ge=0)
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    tool_calls: int | None = Field(default=None, ge=0)
    context_chunks: int | None = Field(default=None, ge=0)
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _a_known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone {value!r}: an IANA name as Europe/Berlin, or UTC") from error
        return value

    @property
    def limits(self) -> bool:
        """Whether anything is limited."""
        return any(getattr(self, name) is not None for name in type(self).model_fields if name != "zone")


class TenantSpec(Frozen):
    """`tenants.yaml`, one entry: who may ask, what its requests are labelled at least, which lanes and tools it may use.

    `daily`: what it may use in a day, `daily_by_route` what those of its requests may that take a route (days are those of
    `daily`'s zone). Where a lane is full, `priority` goes first (higher is earlier), and tenants of one priority share by `weight`.
    `lanes` and `tools` empty means all of them. `clearance` is up to which level its people may look things up.
    """

    org: str
    clearance: Level = "internal"
    egress: Egress = "open"
    keys: tuple[ApiKey, ...] = ()
    label: Label = Label()
    lanes: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    daily: DailyBudget = DailyBudget()
    daily_by_route: dict[str, DailyBudget] = Field(default_factory=dict)
    priority: int = Field(default=0, ge=-10, le=10)
    weight: float = Field(default=1.0, gt=0, le=1000)


class TenantsFile(Frozen):
    """`tenants.yaml`."""

    tenants: tuple[TenantSpec, ...]
