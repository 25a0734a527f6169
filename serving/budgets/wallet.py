"""May this step take that much of its tenant's day? One ask before it and one after, and none for a tenant without a budget.

Implements `router.ports.Purse`. What the owner does not confirm is not set aside: the step does not happen.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from router.budgets import (
    NANOS,
    Account,
    Amounts,
    Held,
    Lacking,
    Step,
    accounts_of,
    day_of,
    seconds_to_the_days_end,
)
from router.bundle.files import TenantSpec
from router.errors import BudgetExhausted, StateUnavailable
from serving.budgets.wire import ANSWER, BudgetAnswer, BudgetAsk, Lacks, Reserve, Settle

log = logging.getLogger(__name__)

_ASK_SECONDS: Final = 2.0
_SEEN_SECONDS: Final = 2.0
"""How long a glance at what is left is worth anything: later it is unknown, and the owner is asked when it matters."""
_MARGIN_SECONDS: Final = 120.0
"""How much longer than its step a reservation is kept for who settles it."""


@dataclass(frozen=True, slots=True)
class _Glance:
    """What was gone of an account a moment ago."""

    taken: Amounts
    day: str
    at: float


class Wallet:
    """The budgets of one bundle's tenants, as an ingress replica sees them."""

    def __init__(
        self,
        keeper: Any,
        tenants: Iterable[TenantSpec],
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the keeper's Ray Serve handle."""
        self._keeper, self._utc_now, self._monotonic = keeper, utc_now, monotonic
        self._tenants: Mapping[str, TenantSpec] = {tenant.org: tenant for tenant in tenants}
        self._accounts = {tenant.org: accounts_of(tenant) for tenant in self._tenants.values()}
        self._glances: dict[str, _Glance] = {}
        self._settling: set[asyncio.Task[None]] = set()

    def accounts(self, org: str, request_class: str) -> tuple[Account, ...]:
        """Return what has to be asked for a step: nothing where nothing is limited."""
        limited = self._accounts.get(org, ())
        return tuple(account for account in limited if account.request_class in {"", request_class})

    def usd_left(self, org: str) -> float | None:
        """Return how many dollars the tenant's day has left, as seen a moment ago; None: no limit, or nobody knows without asking."""
        left = [
            account.limits.cost - seen.taken.cost
            for account in self.accounts(org, "")
            if account.limits.cost is not None and (seen := self._seen(account)) is not None
        ]
        return max(0, min(left)) / NANOS if left else None

    def seconds_left(self, org: str) -> float:
        """Return how long the tenant's day goes on: when to come back to a budget that is used up."""
        return seconds_to_the_days_end(self._utc_now(), self._tenants[org].daily.zone)

    async def reserve(self, step: Step, most: Amounts) -> Held | None:
        """Set `most` aside; None where nothing is limited. Raises `BudgetExhausted`, and `StateUnavailable` where nobody can tell."""
        accounts = self.accounts(step.org, step.request_class)
        if not accounts or most == Amounts():
            return None
        now, zone = self._utc_now(), self._tenants[step.org].daily.zone
        held = Held(secrets.token_hex(16), step, most)
        ask = Reserve(
            id=held.id,
            trace_id=step.trace_id,
            accounts=accounts,
            day=day_of(now, zone),
            amounts=most,
            lapse_seconds=step.seconds + _MARGIN_SECONDS,
        )
        try:
            answer = await self._asked(ask)
        except BaseException:
            self.settle(held, Amounts())  # It may have been set aside all the same.
            raise
        self._note(answer)
        if isinstance(answer, Lacks):
            because = Lacking(answer.account, answer.lacks, answer.left, answer.wanted).says()
            raise BudgetExhausted(step.lane, because, self.seconds_left(step.org))
        return held

    def settle(self, held: Held, used: Amounts) -> None:
        """Say what a step took, without waiting: what does not get there counts in full once its time is over."""
        task = asyncio.get_running_loop().create_task(self._settle(held, used))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def settled(self) -> None:
        """Return once everything that was settled here so far has got there, or failed to."""
        while self._settling:
            await asyncio.wait(set(self._settling))

    async def _settle(self, held: Held, used: Amounts) -> None:
        try:
            answer = await self._asked(Settle(id=held.id, used=used))
        except StateUnavailable as error:
            log.warning("what trace %s took of its budget counts as reserved: %s", held.step.trace_id, error)
            return
        self._note(answer)

    def _seen(self, account: Account) -> _Glance | None:
        seen = self._glances.get(account.name)
        if seen is None or self._monotonic() - seen.at > _SEEN_SECONDS:
            return None
        today = day_of(self._utc_now(), self._tenants[account.org].daily.zone)
        return seen if seen.day == today else None

    def _note(self, answer: BudgetAnswer) -> None:
        for one in answer.taken:
            self._glances[one.account] = _Glance(one.both, answer.day, self._monotonic())

    async def _asked(self, ask: BudgetAsk) -> BudgetAnswer:
        """Ask the keeper. The broad except is the point: whatever its trouble is, nothing was set aside."""
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                return ANSWER.validate_json(await self._keeper.budget.remote(ask.model_dump_json()))
        except Exception as error:
            raise StateUnavailable(f"the tenant's budget can't be asked for ({type(error).__name__})") from error
