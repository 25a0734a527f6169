"""What is asked of the owner of the budgets, and what it answers: values, because errors don't cross process lines well."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from router.budgets import Account, Amounts, Kind
from router.contract import Frozen, TraceId


class Reserve(Frozen):
    """Set this much aside for one step of a request, from each of its accounts, or from none.

    `id` is the asker's own, so that asking again reserves nothing twice. `lapse_seconds`: unsettled for so long, it counts as spent.
    """

    kind: Literal["reserve"] = "reserve"
    id: str = Field(max_length=64)
    trace_id: TraceId
    accounts: tuple[Account, ...] = Field(min_length=1)
    day: str
    amounts: Amounts
    lapse_seconds: float = Field(gt=0)


class Settle(Frozen):
    """A reserved step took this much."""

    kind: Literal["settle"] = "settle"
    id: str
    used: Amounts


class Taken(Frozen):
    """What is spent and reserved of one account on one day."""

    account: str
    spent: Amounts = Amounts()
    reserved: Amounts = Amounts()

    @property
    def both(self) -> Amounts:
        """Spent and reserved."""
        return self.spent + self.reserved


class Reserved(Frozen):
    """It was set aside. `taken` is what is gone of each account now, this included."""

    kind: Literal["reserved"] = "reserved"
    day: str
    taken: tuple[Taken, ...]


class Lacks(Frozen):
    """It was not set aside: of this `account` there is too little left of this kind."""

    kind: Literal["lacks"] = "lacks"
    day: str
    account: str
    lacks: Kind
    left: int
    wanted: int
    taken: tuple[Taken, ...]


class Settled(Frozen):
    """It is settled. `taken` as above; empty where nothing is known of the reservation (settled long ago)."""

    kind: Literal["settled"] = "settled"
    day: str = ""
    taken: tuple[Taken, ...]


BudgetAsk = Annotated[Reserve | Settle, Field(discriminator="kind")]
BudgetAnswer = Annotated[Reserved | Lacks | Settled, Field(discriminator="kind")]
ASK: TypeAdapter[BudgetAsk] = TypeAdapter(BudgetAsk)
ANSWER: TypeAdapter[BudgetAnswer] = TypeAdapter(BudgetAnswer)
