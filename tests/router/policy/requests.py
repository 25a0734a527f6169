"""Requests as `lane decide` takes them, without the command line."""

from collections.abc import Mapping
from typing import Any

from router.contract import Label, Message, RouteRequest, TextPart


def parse(fields: Mapping[str, Any]) -> RouteRequest:
    return RouteRequest(
        messages=(Message(role="user", content=(TextPart(text=fields["text"]),)),),
        org=fields.get("org", "local"),
        mode=fields.get("mode"),
        channel=fields.get("channel", "api"),
        labels=Label.model_validate(fields.get("labels", {})),
        model=fields.get("model", "auto"),
    )
