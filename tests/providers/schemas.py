"""Which value does a JSON Schema allow? A small one, for a stand-in that does as it was told."""

from typing import Any


def instance_of(schema: Any, whole: Any = None, depth: int = 0) -> Any:
    """Return a value for the common words of JSON Schema; None for what is none of them."""
    whole = schema if whole is None else whole
    if not isinstance(schema, dict) or depth > 16:
        return None
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        return instance_of(_referred(schema["$ref"], whole), whole, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return instance_of(schema[word][0], whole, depth + 1)
    return _of_type(schema, whole, depth)


def _of_type(schema: dict[str, Any], whole: Any, depth: int) -> Any:
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "string":
            return "x" * max(1, schema.get("minLength", 1))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [instance_of(schema.get("items", {}), whole, depth + 1) for _ in range(schema.get("minItems", 0))]
        case "null":
            return None
        case _:
            names = schema.get("required", ())
            return {name: instance_of(schema.get("properties", {}).get(name, {}), whole, depth + 1) for name in names}


def _referred(reference: str, whole: Any) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        whole = whole.get(step, {}) if isinstance(whole, dict) else {}
    return whole
