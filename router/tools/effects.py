"""What does a call change? Read off a protocol's own signs, and rather too much than too little: whoever is wrong asks a person too often.

Signs raise, they never lower: a `POST` counts as a write until somebody who looked says that it only reads (`known_reads`).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

SideEffect = Literal["read", "write", "irreversible"]
SIDE_EFFECTS: Final[tuple[SideEffect, ...]] = ("read", "write", "irreversible")

_OF_METHOD: Final[dict[str, SideEffect]] = {
    "get": "read",
    "head": "read",
    "options": "read",
    "trace": "read",
    "query": "read",
    "post": "write",
    "put": "write",
    "patch": "write",
    "delete": "irreversible",
}
_ACTS_ON_GET: Final = frozenset(
    [
        "activate",
        "cancel",
        "confirm",
        "deactivate",
        "delete",
        "disable",
        "enable",
        "logout",
        "purge",
        "remove",
        "reset",
        "revoke",
        "rotate",
        "send",
        "signout",
        "subscribe",
        "trigger",
        "unsubscribe",
    ]
)
"""Words that name an act where a GET should only look: such an operation changes something, whatever HTTP says of GET."""
_CANT_BE_TAKEN_BACK: Final = frozenset(
    [
        "approve",
        "archive",
        "cancel",
        "capture",
        "charge",
        "charges",
        "close",
        "confirm",
        "deactivate",
        "delete",
        "destroy",
        "disconnect",
        "expire",
        "finalize",
        "forfeit",
        "fulfill",
        "merge",
        "pay",
        "payment_intents",
        "payout",
        "payouts",
        "publish",
        "purge",
        "redact",
        "refund",
        "refunds",
        "reject",
        "remove",
        "reverse",
        "reversals",
        "revoke",
        "send",
        "submit",
        "topups",
        "transfer",
        "transfers",
        "uninstall",
        "void",
    ]
)
"""Words of calls that move money, speak to others or end something."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A side effect, and the sign it was read off."""

    side_effect: SideEffect
    because: str


def classify_operation(method: str, path: str, operation: str, known_reads: Collection[str] = ()) -> Classified:
    """Return what an HTTP operation changes.

    `known_reads` are operations (by `operationId`) that somebody looked at and found to only read.
    """
    by_method = _OF_METHOD.get(method.lower(), "irreversible")
    said = _words(operation) | _last_words(path)
    if by_method == "read":
        acts = sorted(_words(operation) & _ACTS_ON_GET)
        if acts and not _looks_only(operation):
            return Classified("write", f"{method.upper()}, but it says `{acts[0]}`")
        return Classified("read", method.upper())
    if operation in known_reads:
        return Classified("read", f"{method.upper()}, known to only read")
    if by_method == "write" and (gone := sorted(said & _CANT_BE_TAKEN_BACK)):
        return Classified("irreversible", f"{method.upper()}, and it says `{gone[0]}`")
    return Classified(by_method, method.upper())


def classify_mcp(annotations: Mapping[str, Any] | None) -> Classified:
    """Return what an MCP tool changes. Its server's hints are a stranger's word: without them, or where they say so, it is irreversible.

    `readOnlyHint` is believed only by whoever approves the definition: it is part of what the pin covers.
    """
    hints = annotations or {}
    if hints.get("readOnlyHint") is True:
        return Classified("read", "its server says that it only reads")
    if hints.get("destructiveHint") is False:
        return Classified("write", "its server says that it only adds")
    return Classified("irreversible", "its server says nothing that speaks against it")


def _looks_only(operation: str) -> bool:
    """Whether its name begins as a question does: `listDeletedUsers` deletes nobody."""
    first = next(iter(re.findall(r"[a-z]+|[A-Z][a-z]*", operation.rpartition("/")[2])), "")
    return first.lower() in {
        "check",
        "count",
        "download",
        "export",
        "find",
        "get",
        "is",
        "list",
        "read",
        "search",
        "show",
        "view",
    }


def _words(name: str) -> frozenset[str]:
    """The words of `issues/update-comment`, `PostRefundsRefundCancel` and `close_issue`, in lower case."""
    return frozenset(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))


def _last_words(path: str) -> frozenset[str]:
    """The words of the path's last fixed segment, which names what is acted upon; `{id}` names nothing."""
    fixed = [segment for segment in path.split("/") if segment and "{" not in segment]
    return frozenset() if not fixed else frozenset({fixed[-1].lower(), *re.split(r"[-_.:]", fixed[-1].lower())})
