"""A bundle with some checks alone, and the plan that demands them."""

import dataclasses
from typing import Any

from router.bundle import Bundle
from router.contract import Decision, Label, Message, RouteRequest, TextPart


def message(text: str, role: str = "user", origin: str = "caller", label: Label | None = None) -> Message:
    return Message.model_validate(
        {"role": role, "content": [TextPart(text=text)], "origin": origin, "label": label or Label()}
    )


def asked(*messages: Message, **fields: Any) -> RouteRequest:
    return RouteRequest(org="local", messages=messages or (message("Hello."),), **fields)


@dataclasses.dataclass(frozen=True)
class Ground:
    """A bundle with these checks alone, and the plan for a request that demands them all."""

    bundle: Bundle
    decision: Decision
