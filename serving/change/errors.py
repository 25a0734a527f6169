"""What keeps a bundle from coming into force, or its history from being believed.

RouterError
├── ChangeRefused     too few approvals, no approver named: the message says what is missing and how to get it
├── ChangeUnderWay    somebody else is applying a bundle in this home
├── NotInForce        this bundle may not run here: another one is in force
├── StoreDamaged      a kept version is not what its name says
└── HistoryBroken     an entry of the history is not what its hash says, or does not follow the one before
"""

from router.errors import RouterError


class ChangeRefused(RouterError):
    """Too few approvals; `missing` lists what is wanting, each with the way to get it. Nothing was changed."""

    code = "change_refused"

    def __init__(self, message: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join((message, *(f"  - {one}" for one in missing))))
        self.missing = missing


class ChangeUnderWay(RouterError):
    """Another change is being made in this home; one at a time."""

    code = "change_under_way"


class NotInForce(RouterError):
    """The bundle that somebody wants to run is not the one that was applied."""

    code = "bundle_not_in_force"


class StoreDamaged(RouterError):
    """The bytes kept under a hash have another hash."""

    code = "bundle_store_damaged"


class HistoryBroken(RouterError):
    """The history of bundles can't be believed, or can't be read: nothing may rest on it."""

    code = "bundle_history_broken"
