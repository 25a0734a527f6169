from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from router.bundle.cases import Expected
from router.bundle.load import load_bundle, load_draft
from router.policy.cases import Tried, try_cases, try_questions
from router.testing import ScriptedHeads
from tests.router.policy.requests import parse

CASES = """
cases:
  - name: passes
    request: { text: What is the capital of France? }
    expect: { action: answer, route: everyday, lane: fast_small, tier: low, tools: [], policies: [private-lanes-are-home] }
  - name: fails in everything
    request: { text: "Summarise this.", model: premium, labels: { level: confidential } }
    expect: { action: refuse, route: code, lane: premium, risk_tier: low, tools: [ticket_lookup], policies: [unheard-of], closed: [private] }
  - name: nowhere
    request: { text: "Summarise this.", model: premium, labels: { level: confidential } }
    expect: { lane: , closed: [premium] }
  - name: no such tenant
    request: { text: Hello, org: nobody }
    expect: { lane: private }
"""


@pytest.fixture
def tried(edited: Callable[..., Path], heads: ScriptedHeads) -> dict[str, Tried]:
    folder = edited()
    (folder / "tests").mkdir()
    (folder / "tests" / "ours.yaml").write_text(CASES)
    draft = load_draft(folder, heads)
    return {one.name: one for one in try_cases(draft.source, draft.bundle, parse) if one.file == "tests/ours.yaml"}


def test_a_case_that_comes_out_as_expected_passes(tried: dict[str, Tried]) -> None:
    assert tried["passes"].passed
    assert tried["nowhere"].passed


def test_each_difference_is_told_with_what_was_expected_and_what_came(tried: dict[str, Tried]) -> None:
    found = {one.what: (one.expected, one.actual) for one in tried["fails in everything"].differences}

    assert found["action"] == ("refuse", "answer")
    assert found["lane"] == ("premium", "none")
    assert found["risk_tier"] == ("low", "high")
    assert found["tools"] == ("ticket_lookup", "none")
    assert found["policies"][0] == "unheard-of"
    assert found["closed"] == ("private", "closed premium; open none")
    assert set(found) == {"action", "route", "lane", "risk_tier", "tools", "policies", "closed"}


def test_a_request_that_can_not_be_decided_fails_with_the_reason_and_its_line(tried: dict[str, Tried]) -> None:
    (difference,) = tried["no such tenant"].differences

    assert "nobody" in difference.actual
    assert tried["no such tenant"].line == CASES[: CASES.index("no such tenant")].count("\n") + 1


def test_the_starters_own_cases_pass(starter_folder: Path) -> None:
    draft = load_draft(starter_folder)

    tried = [*try_questions(draft.source, draft.bundle), *try_cases(draft.source, draft.bundle, parse)]

    assert len(tried) > 10
    assert [(one.name, one.differences) for one in tried if not one.passed] == []


def test_a_question_to_the_boundary_that_is_answered_otherwise_fails(
    edited: Callable[..., Path], heads: ScriptedHeads
) -> None:
    draft = load_draft(edited(("boundary/tests.yaml", "by: unsensitive-may-leave", "by: residency")), heads)

    (failed,) = [one for one in try_questions(draft.source, draft.bundle) if not one.passed]

    assert [(one.what, one.expected, one.actual) for one in failed.differences] == [
        ("by", "residency", "unsensitive-may-leave")
    ]


def test_a_case_that_expects_nothing_is_none() -> None:
    with pytest.raises(ValidationError, match="expects something"):
        Expected.model_validate({})


def test_cases_are_part_of_the_bundle_and_checked_with_it(edited: Callable[..., Path], heads: ScriptedHeads) -> None:
    folder = edited()
    (folder / "tests.yaml").write_text(
        "cases:\n  - name: one\n    request: { text: Hello }\n    expect: { rout: everyday }\n"
    )

    with pytest.raises(Exception, match=r"tests\.yaml:4: .*rout"):
        load_bundle(folder, heads)
