"""Is this JSON Schema one that answers can be held against? Only local references: fetching a schema is a way out."""

import json
import re

import jsonschema_rs

from router.bundle.finding import BundleFinding
from router.enforce import Enforceable, Refused, enforceable


def schema_findings(file: str, text: str) -> list[BundleFinding]:
    """Check one contract file."""
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        return [BundleFinding(file, error.lineno, f"is not JSON: {error.msg}", "mend the JSON on this line")]
    problem = schema_problem(schema)
    if problem is None:
        return []
    message, key = problem
    return [BundleFinding(file, _line_of_key(text, key), message, "make it a valid JSON Schema (draft 2020-12)")]


def promise_findings(file: str, text: str) -> list[BundleFinding]:
    """Check that the engine can keep what a strict contract promises: that no answer leaves its schema."""
    match enforceable(text):
        case Refused(because, keyword, place, _):
            message = f"the schema can't be enforced exactly, at #{place}: {because}"
            mend = "leave that out, or set `strict: false` in the contract's .rules.yaml: answers are then held against it at their end"
            return [BundleFinding(file, _line_of_key(text, keyword), message, mend)]
        case Enforceable():
            return []


def schema_problem(schema: object) -> tuple[str, str | None] | None:
    """Return what is wrong with a schema and the key it is at; None if nothing is."""
    if not isinstance(schema, dict):
        return "a contract is a JSON object that holds a JSON Schema", None
    if remote := _remote_reference(schema):
        return f"`$ref` to {remote} leaves this file", remote
    try:
        jsonschema_rs.meta.validate(schema)
        jsonschema_rs.validator_for(schema)
    except jsonschema_rs.ValidationError as error:
        keys = [step for step in error.instance_path if isinstance(step, str)]
        return f"is no JSON Schema: {error.message}", keys[-1] if keys else None
    except ValueError as error:
        return f"is no JSON Schema: {error}", None
    return None


def _remote_reference(schema: object) -> str | None:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in {"$ref", "$dynamicRef"} and isinstance(value, str) and not value.startswith("#"):
                return value
            if found := _remote_reference(value):
                return found
    elif isinstance(schema, list):
        for item in schema:
            if found := _remote_reference(item):
                return found
    return None


def _line_of_key(text: str, key: str | None) -> int:
    at = re.search(rf'"{re.escape(key)}"', text) if key else None
    return text.count("\n", 0, at.start()) + 1 if at else 1
