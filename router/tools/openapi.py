"""Which tools does an OpenAPI file describe? One for each operation that can be called with plain arguments, its side effect read off it.

Pure: the file's parsed value comes in, the tools' files go out. What can't be called safely (an upload, a body that is no object, two
arguments of one name) is refused by name, with the reason.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs
from pydantic import ValidationError

from router.bundle.files import ToolFile
from router.tools.effects import classify_operation
from router.tools.openapi_schema import BadReference, closed_schema, resolved
from router.tools.pins import definition_sha256

METHODS: Final = ("get", "head", "options", "post", "put", "patch", "delete")
_RESULT_CHARACTERS_AT_MOST: Final = 40_000
"""A schema of a result that is longer (Stripe's refer to one another without end) is kept as its outermost type."""
_DESCRIPTION_CHARACTERS: Final = 600
_BODIES: Final = {"application/json": "json", "application/x-www-form-urlencoded": "form"}
_NEVER_HEADERS: Final = frozenset(
    {"authorization", "cookie", "host", "content-length", "content-type", "accept", "connection"}
)
"""Headers that no argument may set: they say who asks, and whom."""


@dataclass(frozen=True, slots=True)
class Imported:
    """An operation as a tool, and why it has the side effect that it has."""

    tool: ToolFile
    because: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An operation that is no tool here, and why."""

    operation: str
    because: str


def import_openapi(document: Any, base_url: str, known_reads: Collection[str] = ()) -> Iterator[Imported | Refused]:
    """Yield each operation of an OpenAPI 3 document. `base_url` is where calls will go: the document's own `servers` are not asked."""
    paths = document.get("paths") if isinstance(document, Mapping) else None
    taken: set[str] = set()
    for path, shared in (paths or {}).items():
        for method in METHODS:
            operation = shared.get(method) if isinstance(shared, Mapping) else None
            if not isinstance(operation, Mapping):
                continue
            named = str(operation.get("operationId") or f"{method} {path}")
            try:
                tool = _tool(document, base_url, path, method, operation, shared.get("parameters", ()), named)
            except (_NoTool, BadReference, ValidationError, ValueError) as error:
                yield Refused(named, _first_line(error))
                continue
            classified = classify_operation(method, path, named, known_reads)
            name = _unused(tool["name"], taken)
            try:
                made = ToolFile.model_validate(tool | {"name": name, "side_effect": classified.side_effect})
                jsonschema_rs.validator_for(made.parameters)
                jsonschema_rs.validator_for(made.result)
            except ValueError as error:
                yield Refused(named, _first_line(error))
                continue
            taken.add(name)
            yield Imported(made, classified.because)


class _NoTool(Exception):
    """An operation that can't be called with plain arguments."""


def _tool(
    document: Any,
    base_url: str,
    path: str,
    method: str,
    operation: Mapping[str, Any],
    shared: Sequence[Any],
    named: str,
) -> dict[str, Any]:
    places: dict[str, list[str]] = {"path": [], "query": [], "header": []}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in _parameters(document, [*shared, *operation.get("parameters", ())]):
        name, place = parameter["name"], parameter["in"]
        needed = bool(parameter.get("required")) or place == "path"
        if place not in places or (place == "header" and name.lower() in _NEVER_HEADERS) or name in properties:
            if needed:
                raise _NoTool(f"the argument `{name}` ({place}) can't be given")
            continue
        places[place].append(name)
        properties[name] = parameter.get("schema") or _content_schema(parameter)
        required += [name] * needed
    body, fields, needs = _body(document, operation.get("requestBody"))
    for name, schema in fields.items():
        if name in properties:
            if name in needs:
                raise _NoTool(f"two arguments are called `{name}`")
            continue
        properties[name] = schema
        required += [name] * (name in needs)
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {
        "name": _name(named),
        "description": _description(operation, named),
        "reaches_outside": True,
        "parameters": closed_schema(document, parameters),
        "result": _result(document, operation.get("responses")),
        "pin": definition_sha256({"path": path, "method": method, "operation": operation, "parameters": list(shared)}),
        "source": {
            "kind": "openapi",
            "base_url": base_url,
            "operation": named,
            "method": method,
            "path": path,
            "path_parameters": places["path"],
            "query": places["query"],
            "headers": places["header"],
            "body": body,
        },
    }


def _parameters(document: Any, listed: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Each parameter once: an operation's own takes the place of its path's."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in listed:
        parameter = resolved(document, one)
        found[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    return list(found.values())


def _content_schema(parameter: Mapping[str, Any]) -> Any:
    contents = list((parameter.get("content") or {}).values())
    return contents[0].get("schema", {}) if contents else {}


def _body(document: Any, given: Any) -> tuple[str, Mapping[str, Any], Collection[str]]:
    """How the body is written, its fields, and which of them must be there."""
    if given is None:
        return "none", {}, ()
    request = resolved(document, given)
    content = request.get("content") or {}
    kind = next((one for one in _BODIES if one in content), None)
    if kind is None:
        if request.get("required") and content:
            raise _NoTool(f"its body is {', '.join(sorted(content))}")
        return "none", {}, ()
    schema = resolved(document, content[kind].get("schema") or {})
    fields: dict[str, Any] = {}
    needs: set[str] = set()
    for part in (schema, *(resolved(document, one) for one in schema.get("allOf", ()))):
        fields |= part.get("properties") or {}
        needs |= set(part.get("required") or ())
    if not fields and (schema.get("oneOf") or schema.get("anyOf") or schema.get("type", "object") != "object"):
        raise _NoTool("its body is no object with fields of its own")
    return _BODIES[kind], fields, needs


def _result(document: Any, responses: Any) -> dict[str, Any]:
    """The schema of the answer that means success; any JSON where there is none."""
    success = next((code for code in ("200", "201", "202") if code in (responses or {})), None)
    if success is None:
        return {}
    schema = (resolved(document, responses[success]).get("content") or {}).get("application/json", {}).get("schema")
    if not isinstance(schema, Mapping):
        return {}
    try:
        closed = closed_schema(document, schema, _RESULT_CHARACTERS_AT_MOST)
    except BadReference:
        kind = resolved(document, schema).get("type")
        return {"type": kind} if isinstance(kind, str) else {}
    return closed


def _name(operation: str) -> str:
    """A name that every protocol takes for a tool: letters, digits, `_` and `-`, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", operation).strip("_-")[:60] or "operation"


def _unused(name: str, taken: Collection[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name}_{number}" for number in range(2, 1000) if f"{name}_{number}" not in taken)


def _description(operation: Mapping[str, Any], named: str) -> str:
    said = str(operation.get("summary") or operation.get("description") or named)
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", said)).strip()
    return plain[:_DESCRIPTION_CHARACTERS] or named


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
