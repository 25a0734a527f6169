"""The schema that a lane is sent lets an answer cite the passages that it was given, and nothing else."""

import orjson

from router.context.citable import citable
from router.contract import Chunk
from router.validate import validate_answer

SCHEMA = '{"type":"object","properties":{"answer":{"type":"string"},"citations":{"type":"array","items":{"type":"string","minLength":1},"maxItems":6}},"required":["answer","citations"]}'
PASSAGES = [Chunk(id=name, index="help", doc="d", text="t", sha256="0" * 64) for name in ("refunds#1", "refunds#2")]


def cites(schema: str, *names: str) -> bool:
    return validate_answer(orjson.dumps({"answer": "Yes.", "citations": list(names)}).decode(), schema).valid


def test_only_what_was_given_can_be_cited() -> None:
    narrowed = citable(SCHEMA, "citations", PASSAGES, 0)

    assert cites(narrowed, "refunds#1", "refunds#2")
    assert cites(narrowed)
    assert not cites(narrowed, "refunds#3")


def test_an_answer_that_must_cite_has_to() -> None:
    narrowed = citable(SCHEMA, "citations", PASSAGES, 1)

    assert cites(narrowed, "refunds#2")
    assert not cites(narrowed)


def test_a_schema_without_such_a_list_is_left_as_it_is() -> None:
    other = '{"type":"object","properties":{"citations":{"type":"string"}}}'

    assert citable(other, "citations", PASSAGES, 1) == other
    assert citable(SCHEMA, "sources", PASSAGES, 1) == SCHEMA
    assert citable(SCHEMA, "citations", [], 1) == SCHEMA
    assert citable("true", "citations", PASSAGES, 1) == "true"
