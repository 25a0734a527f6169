"""Is `docs/routing-contract.md` true? Its tables are held against the models and the error table, row by row."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from router import errors
from router.bundle.files import FallbackKey
from router.contract import (
    Accepted,
    ApprovalAsked,
    ApprovalSettled,
    AttemptEnded,
    AttemptStarted,
    BudgetSettled,
    Cause,
    Checked,
    ContextUsed,
    Decided,
    Decision,
    Egress,
    Escalated,
    EscalationExpired,
    EvidenceEvent,
    Finished,
    PersonAnswered,
    Redacted,
    Released,
    Resumed,
    Retrieved,
    RouteRequest,
    ShortDecision,
    Skipped,
    ToolCalled,
    Validated,
    Waited,
)
from router.errors import LaneFailed, RouterError, outcome_of

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "routing-contract.md").read_text(encoding="utf-8")
EVENTS = (
    Accepted,
    Decided,
    Skipped,
    Retrieved,
    ContextUsed,
    ToolCalled,
    ApprovalAsked,
    ApprovalSettled,
    Escalated,
    PersonAnswered,
    EscalationExpired,
    Waited,
    AttemptStarted,
    AttemptEnded,
    Resumed,
    Released,
    Redacted,
    Egress,
    Validated,
    Checked,
    BudgetSettled,
    Finished,
)


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"{heading}\n")]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def code(cell: str) -> str:
    assert re.fullmatch(r"`[^`]+`", cell), cell
    return cell.strip("`")


def in_words(schema: dict[str, Any]) -> str:
    """Say a JSON Schema's type as the page says it."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.rsplit("/", 1)[-1]
        case {"const": constant}:
            return f"`{constant}`"
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"anyOf": options}:
            return " or ".join(in_words(option) for option in options)
        case {"oneOf": options}:
            return " or ".join(in_words(option) for option in options)
        case {"type": "array", "items": items}:
            return f"list of {in_words(items)}"
        case {"type": "object", "additionalProperties": values}:
            return f"map to {in_words(values)}"
        case {"type": str(name)}:
            return name
    raise AssertionError(schema)


def fields(model: type[BaseModel]) -> list[list[str]]:
    schema = model.model_json_schema(mode="serialization", by_alias=True)
    return [[f"`{name}`", in_words(field)] for name, field in schema["properties"].items()]


@pytest.mark.parametrize(
    ("heading", "model"),
    [("Inputs: RouteRequest", RouteRequest), ("Output: Decision", Decision), ("The short form", ShortDecision)],
)
def test_a_table_of_fields_is_the_model(heading: str, model: type[BaseModel]) -> None:
    assert [row[:2] for row in table(heading)] == fields(model)


def test_the_required_logs_are_the_events_and_their_fields() -> None:
    expected = [
        [
            f"`{event.model_fields['kind'].default}`",
            ", ".join(f"`{name}`" for name in event.model_fields if name != "kind"),
        ]
        for event in EVENTS
    ]

    assert [row[:2] for row in table("Required logs")] == expected
    assert len(get_args(get_args(EvidenceEvent)[0])) == len(EVENTS)


def test_the_fallback_rules_name_every_cause_with_its_ladder_and_errors() -> None:
    rows = {code(row[0]): row for row in table("Fallback rules")}
    keys = set(get_args(FallbackKey))

    assert list(rows) == list(get_args(Cause))
    for cause, row in rows.items():
        assert row[1] == (f"`on_{cause}`" if f"on_{cause}" in keys else "none"), cause
        raising = sorted(kind.__name__ for kind in all_errors() if issubclass(kind, LaneFailed) and kind.cause == cause)
        named = sorted(
            re.findall(
                r"`(Lane\w+|ReplicaLost|ContractViolated|FoundBeforeLeaving|AnswerWithheld|BudgetExhausted)`", row[2]
            )
        )
        assert named == [name for name in raising if name != "LaneFailed"], cause


def all_errors() -> list[type[RouterError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RouterError)]


def instance(kind: type[RouterError]) -> RouterError:
    if issubclass(kind, errors.FoundBeforeLeaving):
        return kind("lane", ())
    if issubclass(kind, errors.ToolArgumentsInvalid | errors.ToolResultInvalid):
        return kind("tool", ())
    if issubclass(kind, errors.ToolError):
        return kind("tool", "because")
    if issubclass(kind, errors.AnswerWithheld):
        return kind("lane", "check", "because")
    if issubclass(kind, errors.HandedToPerson):
        return kind("lane", "because")
    return kind("lane", "because") if issubclass(kind, LaneFailed) else kind("message")


def test_the_error_table_is_the_code_s() -> None:
    expected = []
    for kind in all_errors():
        outcome = outcome_of(instance(kind))
        expected.append(
            [
                f"`{kind.__name__}`",
                str(outcome.status),
                f"`{outcome.code}`",
                f"`{outcome.type}`",
                str(outcome.exit_code),
            ]
        )

    assert sorted(row[:5] for row in table("Errors")) == sorted(expected)


def test_every_header_that_the_code_reads_or_writes_is_listed_and_no_other() -> None:
    folder = Path(__file__).resolve().parents[1] / "serving" / "api"
    in_code = {name for file in folder.glob("*.py") for name in re.findall(r"\"(x-lane-[a-z-]+)\"", file.read_text())}

    assert {code(row[0]) for row in table("Headers")} == in_code


def test_the_page_stays_short() -> None:
    assert len(PAGE.splitlines()) < 300
