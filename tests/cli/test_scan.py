import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.lines import answer_lines
from cli.main import app
from cli.scan import Scanner
from router.bundle import load_bundle
from router.classify.heads import DEFAULT_HEADS
from router.contract import Label, Topic
from router.testing import ScriptedHeads

pytestmark = pytest.mark.slow

STARTER = Path(__file__).resolve().parents[2] / "config" / "starter"
CARD = "My card is 4111 1111 1111 1111, please call me"


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    loaded = load_bundle(STARTER)
    return Scanner(loaded.tiers, loaded.heads)


def answers(scanner: Scanner, *lines: object) -> list[dict[str, Any]]:
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return [json.loads(answer) for answer, _ in answer_lines(scanner.answer, encoded)]


def test_a_line_holds_findings_label_topic_and_time_and_no_text(scanner: Scanner) -> None:
    (answer,) = answers(scanner, {"id": "a", "text": CARD})

    assert list(answer) == [
        *("id", "findings", "label", "intent", "domain", "out_of_scope", "state_changing", "regulated"),
        *("attack", "harm", "difficulty", "microseconds"),
    ]
    (card,) = [finding for finding in answer["findings"] if finding["entity"] == "CREDIT_CARD"]
    assert set(card) == {"entity", "category", "start", "end", "score", "detector"}
    assert CARD[card["start"] : card["end"]] == "4111 1111 1111 1111"
    assert answer["label"] == {"level": "restricted", "categories": ["payment"], "jurisdictions": []}
    assert set(answer["attack"]) == set(answer["harm"]) == {"score", "flag"}
    assert answer["microseconds"] > 0
    assert "4111" not in json.dumps(answer)


def test_a_finding_below_the_bundles_bar_is_listed_and_raises_nothing(scanner: Scanner) -> None:
    strict = Scanner(scanner.tiers.model_copy(update={"raise_at": 1.0}), scanner.heads)
    text = "mail ada@moore.example"

    assert scanner.scan(text).label == Label(level="confidential", categories=("pii",))
    assert strict.scan(text).label == Label()
    assert strict.scan(text).findings == scanner.scan(text).findings != ()


def test_the_topic_is_that_of_the_heads_given(scanner: Scanner) -> None:
    topic = Topic(intent="parcel", confidence=1, domain="post", mode="chat", regulated=("legal",))

    (answer,) = answers(Scanner(scanner.tiers, ScriptedHeads(lambda _: topic)), {"text": "Where is it?"})

    assert (answer["intent"], answer["domain"], answer["regulated"]) == ("parcel", "post", ["legal"])


def test_bad_lines_get_error_lines_and_other_fields_are_passed_over(scanner: Scanner) -> None:
    got = answers(
        scanner, {"id": 1, "text": "Hi", "source": "a data set"}, {"id": 2}, b"nonsense", {"id": 4, "text": 5}
    )

    assert [answer["id"] for answer in got] == [1, 2, None, 4]
    assert ["error" in answer for answer in got] == [False, True, True, True]
    assert got[1]["error"] == {"code": "invalid_request", "message": "line 2: text: Field required"}


def test_the_command_reads_stdin_and_says_two_when_a_line_was_bad() -> None:
    good = CliRunner().invoke(app, ["scan", "--input", "-"], input='{"id":1,"text":"Hello"}\n')
    bad = CliRunner().invoke(app, ["scan", "--input", "-"], input='{"id":1,"text":"Hello"}\n{}\n')

    assert (good.exit_code, bad.exit_code) == (0, 2)
    assert json.loads(good.stdout)["findings"] == []


def test_the_command_takes_a_folder_of_heads_and_names_one_that_is_none(tmp_path: Path) -> None:
    taken = CliRunner().invoke(app, ["scan", "Hello", "--json", "--heads", str(DEFAULT_HEADS)])
    refused = CliRunner().invoke(app, ["scan", "Hello", "--json", "--heads", str(tmp_path)])

    assert taken.exit_code == 0
    assert refused.exit_code == 2
    assert "--heads" in json.loads(refused.stdout)["error"]["message"]


def test_a_person_sees_what_was_found_and_what_it_is_worth() -> None:
    shown = CliRunner().invoke(app, ["scan", CARD]).stdout

    assert "4111 1111 1111 1111" in shown
    assert "restricted (payment" in shown


def test_one_text_or_a_file_must_be_given() -> None:
    assert CliRunner().invoke(app, ["scan"]).exit_code == 2
    assert CliRunner().invoke(app, ["scan", "Hello", "--input", "-"]).exit_code == 2
