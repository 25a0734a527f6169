import json
import os
from pathlib import Path
from typing import Any

import llguidance
import pytest

from router.enforce import Enforceable, Refused, enforceable, engine_schema, refuse_unenforceable
from router.errors import SchemaRefused
from router.validate import check_schema, validate_answer

SUITE = Path(os.environ.get("LANE_DATA", "../shared/data")) / "schemas/json-schema-test-suite/tests/draft2020-12"
TOKENS = llguidance.LLTokenizer("byte")


def lets_through(engine_told: str, text: str) -> bool:
    """Ask the engine's grammar whether a model could write this text to its end."""
    grammar = llguidance.LLMatcher.grammar_from_json_schema(engine_told, defaults={"whitespace_flexible": False})
    matcher = llguidance.LLMatcher(TOKENS, grammar, log_level=0)
    tokens = TOKENS.tokenize_str(text)
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


def told(schema: Any) -> str:
    verdict = enforceable(json.dumps(schema))
    assert isinstance(verdict, Enforceable), verdict
    return verdict.schema


@pytest.mark.parametrize("contract", sorted(Path("config/starter/contracts").glob("*.json")))
def test_the_starter_s_own_contracts_are_enforceable(contract: Path) -> None:
    assert isinstance(enforceable(contract.read_text()), Enforceable)


@pytest.mark.parametrize(
    ("schema", "keyword", "place"),
    [
        ({"not": {"type": "null"}}, "not", "/not"),
        ({"properties": {"a/b": {"uniqueItems": True}}}, "uniqueItems", "/properties/a~1b/uniqueItems"),
        ({"prefixItems": [True, {"if": {"type": "null"}, "then": False}]}, "if", "/prefixItems/1/if"),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, "oneOf", "/oneOf"),
        ({"items": {"format": "regex"}}, "format", "/items/format"),
        ({"propertyNames": {"pattern": "^a"}}, "propertyNames", "/propertyNames"),
        ({"pattern": "[\\S]"}, "pattern", ""),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "contentEncoding": "base64"}, "contentEncoding", ""),
        ({"type": "string", "pattern": "^(?=a)"}, None, ""),
        (False, None, ""),
    ],
)
def test_what_the_engine_can_t_enforce_is_refused_by_keyword_and_place(
    schema: Any, keyword: str | None, place: str
) -> None:
    verdict = enforceable(json.dumps(schema))

    assert isinstance(verdict, Refused)
    assert (verdict.keyword, verdict.place) == (keyword, place)


def test_a_refusal_names_keyword_place_and_way_out() -> None:
    with pytest.raises(SchemaRefused, match=r"at #/items/contains: `contains` can't be enforced.*`strict` to false"):
        refuse_unenforceable('{"items": {"contains": true}}')


@pytest.mark.parametrize(
    "schema",
    [
        {"uniqueItems": False},
        {"then": {"type": "null"}},
        {"if": {"type": "null"}},
        {"minContains": 2},
        {"propertyNames": True},
        {"format": "colour of the sky"},
        {"properties": {"a": True}, "unevaluatedProperties": False},
        {"$defs": {"unused": {"not": True}}},
    ],
)
def test_what_asks_for_nothing_or_can_be_said_otherwise_is_no_reason_to_refuse(schema: Any) -> None:
    assert isinstance(enforceable(json.dumps(schema)), Enforceable)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "format": "date"}, '"2024-02-29"', '"2023-02-29"'),
        ({"type": "string", "format": "time"}, '"23:59:59.5Z"', '"24:00:00Z"'),
        ({"type": "string", "format": "date-time"}, '"2024-02-29T00:00:00+01:00"', '"2024-02-30T00:00:00Z"'),
        ({"type": "string", "format": "hostname"}, '"mail.example.org"', '"xn--x"'),
        ({"type": "string", "pattern": "^\\S$"}, '"a"', '"\ufeff"'),
        ({"type": "string", "pattern": "^[\\sx]$"}, '"x"', '"\x85"'),
        ({"type": "string", "pattern": "^a.$"}, '"ab"', '"a\u2028"'),
        ({"type": "string", "format": "date", "pattern": "^20"}, '"2024-01-31"', '"1999-01-31"'),
        ({"properties": {"a": {"type": "integer"}}}, '{"a":1}', '{"a":1,"a":2}'),
    ],
)
def test_formats_and_patterns_are_told_as_the_standard_means_them(schema: Any, good: str, bad: str) -> None:
    assert lets_through(told(schema), good)
    assert not lets_through(told(schema), bad)


def test_objects_that_share_their_properties_are_not_closed_against_each_other() -> None:
    schema = {"allOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"b": {"type": "null"}}}]}

    assert lets_through(told(schema), '{"a":null,"b":null}')


def test_of_a_schema_that_can_t_be_enforced_the_engine_is_told_the_part_that_can() -> None:
    part = engine_schema('{"type": "array", "items": {"type": "integer"}, "uniqueItems": true}')

    assert lets_through(part, "[1,1]")
    assert not lets_through(part, '["a"]')


def test_where_no_part_can_be_told_any_json_goes() -> None:
    part = engine_schema('{"type": "string", "pattern": "^(?=a)"}')

    assert lets_through(part, '{"a":[1,"b",null]}')


@pytest.mark.skipif(not SUITE.is_dir(), reason="the official JSON Schema suite is not on this machine")
def test_the_engine_lets_no_invalid_instance_of_the_official_suite_through_where_it_promises_to() -> None:
    enforced = 0

    for file in sorted(SUITE.rglob("*.json")):
        for group in json.loads(file.read_text()):
            schema = json.dumps(group["schema"])
            try:
                check_schema(schema)
            except SchemaRefused:
                continue  # It refers to other documents.
            verdict = enforceable(schema)
            if isinstance(verdict, Enforceable):
                enforced += 1
                for case in group["tests"]:
                    text = json.dumps(case["data"], separators=(",", ":"), ensure_ascii=False)
                    if lets_through(verdict.schema, text):
                        assert validate_answer(text, schema if schema != "{}" else "true").valid, (schema, text)

    assert enforced > 200
