import json
from collections import Counter
from pathlib import Path

import orjson
import pytest

from benchmarks.contracts.agreement import FileAgreement, agreement
from benchmarks.contracts.suite import groups, remotes, suite_folder
from benchmarks.contracts.tables import agreement_table, decoding_table, grammar_table
from benchmarks.contracts.tried import Outcome, Tried, schemas, spread

STARTER = Path("config/starter")


@pytest.mark.skipif(not suite_folder().is_dir(), reason="the official JSON Schema suite is not on this machine")
def test_the_validator_agrees_with_the_official_suite() -> None:
    folder = suite_folder()

    rows = agreement(groups(folder), remotes(folder))

    instances = sum(row.instances for row in rows)
    assert instances > 2000
    assert sum(row.ours for row in rows) >= 0.995 * instances


def test_the_bundle_s_own_contracts_and_tools_are_tried_first() -> None:
    names = [tried.name for tried in schemas([], STARTER)]

    assert names[0] == "SupportAnswerV3"
    assert "ticket_lookup.parameters" in names


def test_a_spread_takes_evenly_from_all() -> None:
    found = [Tried(str(index), "{}") for index in range(10)]

    assert [tried.name for tried in spread(found, 4)] == ["0", "2", "5", "7"]
    assert spread(found, 100) == found


def test_the_tables_count_each_end_apart_and_name_what_is_invalid() -> None:
    integer = Tried("an integer", '{"type": "integer"}')
    begun = Outcome(integer, "unfinished", compile_seconds=0.001)
    outcomes = [
        begun.ended("1", 1, "stop"),
        begun.ended('"x"', 2, "stop"),
        begun.ended("111", 3, "length"),
        begun,
        Outcome(Tried("no", '{"not": {}}'), "refused", because="not"),
    ]

    table, lines = decoding_table("guidance", outcomes)

    assert "| guidance | 5 | 1 | 1 | 1 | 2 | 1 | 1.00 / 1.0 / 1 | 3 |" in table
    assert "invalid: an integer: at /: expected integer" in table
    assert [orjson.loads(line)["end"] for line in lines.splitlines()] == [
        "completed", "completed", "truncated", "unfinished", "refused",
    ]  # fmt: skip


def test_agreement_is_shown_by_file_and_in_sum() -> None:
    table = agreement_table([FileAgreement("a.json", 4, 4, 3), FileAgreement("b.json", 1, 1, 1)])

    assert "| a.json | 4 | 4 | 3 |" in table
    assert "| **all** | 5 | 5 (100.00%) | 4 (80.00%) |" in table


def test_an_empty_schema_of_the_suite_asks_for_any_value() -> None:
    assert Outcome(Tried("any", json.dumps({})), "completed", text="[1]").errors == ()


def test_the_grammars_are_shown_beside_each_other() -> None:
    table = grammar_table({"one": Counter({"taken": 3, "invalid stopped": 7}), "other": Counter({"refused": 1})})

    assert "| one | 3 | 0 | 0 | 0 | 7 | 0 | 0 |" in table
    assert "| other | 0 | 1 | 0 | 0 | 0 | 0 | 0 |" in table
