"""How much of a day's budget may a step take, how much did it take, and is that much left? Whole numbers: sums of them are exact.

Money is counted in billionths of a dollar, time in thousandths of a second; both are rounded up, so that no sum of small amounts is lost.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field

from router.bundle.files import DailyBudget, Price, TenantSpec
from router.contract import AttemptEnded, Frozen

Kind = Literal["cost", "latency", "input_tokens", "output_tokens", "tool_calls", "context_chunks"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
NANOS: Final = 1_000_000_000
MILLIS: Final = 1_000
_UNITS: Final[dict[Kind, tuple[str, int]]] = {"cost": ("cost_usd", NANOS), "latency": ("latency_seconds", MILLIS)}
"""What a bundle calls a kind that is counted in parts, and how many parts make one."""
_NANOS_PER_TOKEN: Final = 1_000
"""Billionths of a dollar a token, for each dollar a million tokens."""


class Amounts(Frozen):
    """What is taken: billionths of a dollar, milliseconds of lanes' time, tokens in and out, calls of tools, retrieved chunks."""

    cost: int = Field(default=0, ge=0)
    latency: int = Field(default=0, ge=0)
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    tool_calls: int = Field(default=0, ge=0)
    context_chunks: int = Field(default=0, ge=0)

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(**{kind: getattr(self, kind) + getattr(other, kind) for kind in KINDS})

    def of(self, kind: Kind) -> int:
        """Return the amount of one kind."""
        return int(getattr(self, kind))

    @property
    def cost_usd(self) -> float:
        """The money in dollars."""
        return self.cost / NANOS

    @property
    def latency_seconds(self) -> float:
        """The lanes' time in seconds."""
        return self.latency / MILLIS


class Limits(Frozen):
    """What a day may take; None: not limited. Money in billionths of a dollar, time in milliseconds."""

    cost: int | None = Field(default=None, ge=0)
    latency: int | None = Field(default=None, ge=0)
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    tool_calls: int | None = Field(default=None, ge=0)
    context_chunks: int | None = Field(default=None, ge=0)

    def of(self, kind: Kind) -> int | None:
        """Return the limit of one kind."""
        limit = getattr(self, kind)
        return None if limit is None else int(limit)


class Account(Frozen):
    """Something that has a budget: a tenant, or (`request_class`) those of its requests that take one route."""

    org: str
    request_class: str = ""
    limits: Limits

    @property
    def name(self) -> str:
        """One word for it."""
        return f"{self.org}/{self.request_class}" if self.request_class else self.org


@dataclass(frozen=True, slots=True)
class Lacking:
    """The first thing that an account has too little of: `left` of it, `wanted` more than that."""

    account: str
    kind: Kind
    left: int
    wanted: int

    def says(self) -> str:
        """Say it for people."""
        left, wanted = _said(self.kind, self.left), _said(self.kind, self.wanted)
        what = "lane time" if self.kind == "latency" else self.kind.replace("_", " ")
        return f"the day's budget of {self.account} has {left} of {what} left, {wanted} may be needed"


def _said(kind: Kind, amount: int) -> str:
    match kind:
        case "cost":
            return f"${amount / NANOS:.4f}"
        case "latency":
            return f"{amount / MILLIS:.1f} s"
        case "input_tokens" | "output_tokens" | "tool_calls" | "context_chunks":
            return str(amount)


def in_its_unit(kind: Kind, amount: int) -> tuple[str, int | float]:
    """Return what a bundle calls this kind, and so much of it in dollars, seconds, or as it is counted."""
    name, parts = _UNITS.get(kind, (kind, 1))
    return name, amount if parts == 1 else amount / parts


@dataclass(frozen=True, slots=True)
class Step:
    """Who wants to take something, for which request, on which lane or by which tool, and how many seconds it may last."""

    org: str
    request_class: str
    trace_id: str
    lane: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """What was set aside for a step, under an ID."""

    id: str
    step: Step
    amounts: Amounts


def limits_of(daily: DailyBudget) -> Limits:
    """Return a bundle's limits in whole numbers."""
    limits: dict[Kind, int | None] = {}
    for kind in KINDS:
        name, parts = _UNITS.get(kind, (kind, 1))
        limit = getattr(daily, name)
        limits[kind] = None if limit is None else round(limit * parts)
    return Limits(**limits)


def accounts_of(tenant: TenantSpec) -> tuple[Account, ...]:
    """Return all of a tenant's accounts that are limited: its own first, then those of its routes."""
    own = Account(org=tenant.org, limits=limits_of(tenant.daily))
    of_routes = (
        Account(org=tenant.org, request_class=route, limits=limits_of(daily))
        for route, daily in tenant.daily_by_route.items()
    )
    return tuple(account for account in (own, *of_routes) if account.limits != Limits())


def lacking(account: Account, taken: Amounts, wanted: Amounts) -> Lacking | None:
    """Say what there is too little of for `wanted`, where `taken` is spent or reserved already; None: all of it fits."""
    for kind in KINDS:
        limit = account.limits.of(kind)
        if limit is not None and wanted.of(kind) and taken.of(kind) + wanted.of(kind) > limit:
            return Lacking(account.name, kind, max(0, limit - taken.of(kind)), wanted.of(kind))
    return None


def cost_of(price: Price, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int:
    """Return what so many tokens cost, in billionths of a dollar, rounded up. Cached ones of the input at their own price, if any.

    LAW: 0 <= result <= the same without cached ones, whatever number of those a provider reports.
    """
    cached_tokens = min(max(0, cached_tokens), input_tokens)
    cached_usd = price.input_usd if price.cached_input_usd is None else price.cached_input_usd
    usd = (
        (input_tokens - cached_tokens) * price.input_usd + cached_tokens * cached_usd + output_tokens * price.output_usd
    )
    return ceil(usd * _NANOS_PER_TOKEN - 1e-6)


def most_of_attempt(price: Price, input_tokens: int, output_tokens: int, seconds: float) -> Amounts:
    """Return what an attempt may take at most: the whole prompt, an answer of full length, and all the time that it is given."""
    return Amounts(
        cost=cost_of(price, input_tokens, output_tokens),
        latency=millis_of(seconds),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def millis_of(seconds: float) -> int:
    """Return a time in milliseconds, rounded up."""
    return ceil(max(0.0, seconds) * MILLIS - 1e-6)


def most_of_call(cost_usd: float) -> Amounts:
    """Return what a call of a tool takes."""
    return Amounts(tool_calls=1, cost=ceil(cost_usd * NANOS - 1e-6))


def used_by(ended: AttemptEnded, reserved: Amounts, *, reached: bool) -> Amounts:
    """Return what an attempt took: what its usage says; all that was reserved, where it was cut off before it said. Its time is known.

    `reached`: whether the lane got the call at all; where it did not, nothing was taken.
    """
    if not reached:
        return Amounts()
    reserved = reserved.model_copy(update={"latency": millis_of(ended.seconds)})
    if ended.input_tokens is None or ended.output_tokens is None:
        return reserved
    cost = reserved.cost if ended.cost_usd is None else ceil(ended.cost_usd * NANOS - 1e-6)
    return reserved.model_copy(
        update={"cost": cost, "input_tokens": ended.input_tokens, "output_tokens": ended.output_tokens}
    )


def day_of(moment: datetime, zone: str) -> str:
    """Return the day that a moment belongs to, as `2026-11-30`. `moment` knows its own zone."""
    return moment.astimezone(ZoneInfo(zone)).date().isoformat()


def seconds_to_the_days_end(moment: datetime, zone: str) -> float:
    """Return how long it is to the next midnight there: 23 to 25 hours make a day where clocks are changed."""
    here = moment.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), tzinfo=here.tzinfo)
    return midnight.timestamp() - here.timestamp()
