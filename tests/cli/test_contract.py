"""The schemas that others build on agree with the types, and a stale one is named."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from cli.contract import main, schemas, stale_files, write
from router.contract import Message, RouteRequest, TextPart


def test_the_schemas_in_the_docs_agree_with_the_types() -> None:
    assert main(["--check"]) == 0


def test_what_was_written_is_not_stale(tmp_path: Path) -> None:
    changed = write(tmp_path)

    assert set(changed) == set(schemas())
    assert stale_files(tmp_path) == ()
    assert write(tmp_path) == ()


def test_a_stale_file_is_named_and_exits_with_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    (tmp_path / "Decision.schema.json").write_text("{}\n")

    code = main(["--check"], tmp_path)

    assert code == 1
    assert "docs/contract/Decision.schema.json" in capfd.readouterr().err


def test_a_missing_and_a_left_over_file_are_stale_and_mended(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "Permit.schema.json").unlink()
    (tmp_path / "Old.schema.json").write_text("{}\n")

    assert stale_files(tmp_path) == ("Old.schema.json", "Permit.schema.json")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(schemas())


def test_an_unknown_argument_is_bad_input() -> None:
    assert main(["--force"]) == 2


def test_the_request_schema_takes_what_the_type_prints_and_refuses_unknown_fields() -> None:
    schema = jsonschema_rs.validator_for(json.loads(schemas()["RouteRequest.schema.json"]))
    request = RouteRequest(org="acme", messages=(Message(role="user", content=(TextPart(text="Hello"),)),))
    printed = json.loads(request.model_dump_json())

    assert schema.is_valid(printed)
    assert not schema.is_valid(printed | {"organisation": "acme"})
