"""What the tests of tools begin with."""

from typing import Any

from router.bundle.files import ToolFile
from router.contract import Label
from router.tools import ToolUse


def tool(**changes: Any) -> ToolFile:
    fields: dict[str, Any] = {
        "name": "ticket_lookup",
        "description": "Look up a ticket.",
        "side_effect": "read",
        "reaches_outside": False,
        "parameters": {
            "type": "object",
            "properties": {"ticket_id": {"type": "string", "pattern": "^[A-Z]{2,5}-[0-9]{1,10}$"}},
            "required": ["ticket_id"],
            "additionalProperties": False,
        },
        "result": {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]},
    }
    return ToolFile.model_validate(fields | changes)


def use(**changes: Any) -> ToolUse:
    fields: dict[str, Any] = {
        "trace_id": "a" * 32,
        "attempt": 1,
        "tool": "ticket_lookup",
        "arguments_json": '{"ticket_id": "TCK-1042"}',
        "org": "local",
        "label": Label(),
    }
    return ToolUse(**(fields | changes))
