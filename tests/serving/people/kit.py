"""The owner of what people hold and of the budgets, in this process, with a Ray handle's face."""

import time
from pathlib import Path
from typing import Any

from serving.budgets.accounts import BudgetAccounts
from serving.budgets.wire import ASK as BUDGET_ASK
from serving.budgets.wire import Reserve
from serving.people.moments import Now, this_moment
from serving.people.owner import PeopleOwner
from serving.people.seal import KEY_BYTES
from serving.people.wire import ASK as PEOPLE_ASK


class Owner:
    """`gone` makes it fail; `asked` counts what it was asked."""

    def __init__(self, home: Path, now: Now = this_moment) -> None:
        (home / "people.key").write_bytes(b"k" * KEY_BYTES)
        self._people = PeopleOwner(home / "state.sqlite", home / "people.key", now)
        self._budgets = BudgetAccounts(home / "state.sqlite", time.time)
        self.gone = False
        self.asked: list[str] = []

    def close(self) -> None:
        self._people.close()
        self._budgets.close()

    @property
    def people(self) -> Any:
        return _Method(self, lambda ask: self._people.answer(PEOPLE_ASK.validate_json(ask)))

    @property
    def budget(self) -> Any:
        def answer(text: str) -> Any:
            ask = BUDGET_ASK.validate_json(text)
            return self._budgets.reserve(ask) if isinstance(ask, Reserve) else self._budgets.settle(ask)

        return _Method(self, answer)


class _Method:
    def __init__(self, owner: Owner, answer: Any) -> None:
        self.owner, self.answer = owner, answer

    async def remote(self, ask: str) -> str:
        self.owner.asked.append(ask)
        if self.owner.gone:
            raise ConnectionError("gone")
        text: str = self.answer(ask).model_dump_json()
        return text
