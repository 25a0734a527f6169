"""What may an answer of a given shape cite? The passages that it was given, and nothing else: the schema that a lane is sent says so."""

from collections.abc import Sequence

import orjson

from router.contract import Chunk


def citable(schema: str, member: str, passages: Sequence[Chunk], at_least: int) -> str:
    """Return a JSON Schema in which the IDs listed under `member` are those of the passages, at least so many of them.

    A schema without such a list (an array of texts among its properties) is returned as it is: the check at the end still holds.
    """
    parsed = orjson.loads(schema)
    listed = parsed.get("properties", {}).get(member) if isinstance(parsed, dict) else None
    if not passages or not isinstance(listed, dict) or listed.get("type") != "array":
        return schema
    items = listed.get("items")
    if not isinstance(items, dict) or items.get("type") != "string":
        return schema
    listed["items"] = {"type": "string", "enum": [passage.id for passage in passages]}
    if at_least:
        listed["minItems"] = max(at_least, listed.get("minItems", 0))
    return orjson.dumps(parsed).decode()
