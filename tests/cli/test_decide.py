import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.decide import Decider, keyless_lanes
from cli.lines import answer_lines
from cli.main import app
from router.bundle import load_bundle
from router.state import State
from tests.redaction_bundle import LANE, with_redaction

pytestmark = pytest.mark.slow

STARTER = Path(__file__).resolve().parents[2] / "config" / "starter"


@pytest.fixture(scope="module")
def decider() -> Decider:
    return Decider(load_bundle(STARTER), State(), "local", "auto")


def answers(decider: Decider, *lines: object) -> list[dict[str, Any]]:
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return [json.loads(answer) for answer, _ in answer_lines(decider.answer, encoded)]


def error_of(decider: Decider, line: object) -> dict[str, Any]:
    (answer,) = answers(decider, line)
    assert set(answer) == {"id", "error"}
    assert set(answer["error"]) == {"code", "message"}
    return answer["error"]


def test_a_line_gets_the_whole_decision_under_its_id(decider: Decider) -> None:
    (answer,) = answers(decider, {"id": "q-1", "text": "What is the capital of France?"})

    assert answer["id"] == "q-1"
    decision = answer["decision"]
    for field in ("route", "risk_tier", "label", "lane", "model", "ladder", "retrieval", "tools", "output_contract"):
        assert field in decision
    assert set(decision["label"]) == {"level", "categories", "jurisdictions"}
    assert set(decision["ladder"][0]) == {"lane", "model", "on", "redacts"}
    assert all(set(policy) == {"id", "effect", "because"} for policy in decision["policies"])


def test_a_text_and_the_same_text_as_a_message_are_decided_alike(decider: Decider) -> None:
    text = "Where is my order?"

    as_text, as_message = answers(decider, {"text": text}, {"messages": [{"role": "user", "content": text}]})

    assert as_text == as_message


def test_answers_come_in_order_and_bad_lines_take_nobody_with_them(decider: Decider) -> None:
    got = answers(
        decider,
        {"id": 1, "text": "Hello"},
        b'{"id": 2, "text": ',
        {"id": 3, "text": "Hello", "org": "nobody"},
        {"id": 4, "text": "Hello", "colour": "blue"},
        b"[]",
        b'{"id": 6, "text": "half a pair: \\ud800"}',
        b'\xff\xfe{"id": 7}',
        {"id": 8, "text": "Hello"},
    )

    assert [answer["id"] for answer in got] == [1, None, 3, 4, None, None, None, 8]
    assert ["decision" in answer for answer in got] == [True, False, False, False, False, False, False, True]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ({"text": "Hello", "org": "nobody"}, "org"),
        ({"text": "Hello", "colour": "blue"}, "colour"),
        ({"text": "Hello", "channel": "fax"}, "channel"),
        ({"text": "Hello", "labels": {"level": "secret"}}, "labels.level"),
        ({"text": "Hello", "messages": []}, "text"),
        ({}, "text"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"text": "Hello", "model": "no-such-model"}, "no-such-model"),
    ],
)
def test_an_error_names_the_line_and_the_field(decider: Decider, line: dict[str, Any], names: str) -> None:
    error = error_of(decider, line)

    assert error["message"].startswith("line 1: ")
    assert names in error["message"]


def test_an_error_line_never_quotes_the_text(decider: Decider) -> None:
    secret = "my card is 4111 1111 1111 1111"

    assert secret not in json.dumps(error_of(decider, {"text": secret, "mode": secret}))
    assert secret not in json.dumps(error_of(decider, b'{"text": "' + secret.encode() + b'"'))


def test_an_unknown_model_has_the_code_of_the_error_table(decider: Decider) -> None:
    assert error_of(decider, {"text": "Hello", "model": "no-such-model"})["code"] == "model_not_found"


def test_empty_lines_are_no_requests_and_nulls_say_nothing(decider: Decider) -> None:
    got = answers(decider, b"\n", {"id": 1, "text": "Hello", "org": None, "user": None, "labels": None}, b"   \n")

    assert [answer["id"] for answer in got] == [1]


def test_declared_labels_can_only_raise(decider: Decider) -> None:
    (plain, raised) = answers(
        decider, {"text": "Hello"}, {"text": "Hello", "labels": {"level": "restricted", "jurisdictions": ["EU"]}}
    )

    assert raised["decision"]["label"]["level"] == "restricted"
    assert raised["decision"]["label"]["jurisdictions"] == ["EU"]
    assert plain["decision"]["label"]["level"] != "restricted"


def test_lines_are_read_only_as_answers_are_taken(decider: Decider) -> None:
    taken = 0

    def endless() -> Iterable[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b'{"text": "Hello"}\n'

    lines = answer_lines(decider.answer, endless())
    next(lines)
    next(lines)

    assert taken == 2


def test_only_hosted_lanes_without_a_key_are_off(decider: Decider) -> None:
    hosted = {name for name, lane in decider.bundle.lanes.items() if lane.is_hosted}
    keys = {lane.hosted.api_key_env: "x" for lane in decider.bundle.lanes.values() if lane.hosted}

    assert set(keyless_lanes(decider.bundle, {})) == hosted
    assert keyless_lanes(decider.bundle, keys) == {}
    assert not any(reason == "x" for reason in keyless_lanes(decider.bundle, keys).values())


def run(*arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(
        app, ["decide", *arguments], input=stdin, env={"LANE_BUNDLE": str(STARTER), "COLUMNS": "200"}
    )


def test_a_text_is_shown_with_its_short_decision_and_reasons() -> None:
    result = run("My card is 4111 1111 1111 1111, please write a note")

    assert result.exit_code == 0
    assert '{"route":"' in result.stdout
    assert "payment" in result.stdout
    assert "4111" not in result.stdout


def test_a_text_with_json_is_one_line() -> None:
    result = run("Hello", "--json")

    assert result.stdout.count("\n") == 1
    assert set(json.loads(result.stdout)) == {"id", "decision"}


def test_the_same_request_gives_the_same_bytes_every_time() -> None:
    assert run("Hello", "--json").stdout == run("Hello", "--json").stdout


def test_a_file_and_stdin_are_answered_alike_and_a_bad_line_is_exit_2(tmp_path: Path) -> None:
    lines = '{"id": 1, "text": "Hello"}\nnot json\n{"id": 3, "text": "Hello"}\n'
    file = tmp_path / "requests.jsonl"
    file.write_text(lines)

    from_file, from_stdin = run("--input", str(file)), run("--input", "-", stdin=lines)

    assert from_file.stdout == from_stdin.stdout
    assert from_file.exit_code == from_stdin.exit_code == 2
    assert [json.loads(line)["id"] for line in from_file.stdout.splitlines()] == [1, None, 3]


def test_hosted_lanes_count_as_on_unless_live(monkeypatch: pytest.MonkeyPatch) -> None:
    for lane in load_bundle(STARTER).lanes.values():
        if lane.hosted is not None:
            monkeypatch.delenv(lane.hosted.api_key_env, raising=False)

    on = json.loads(run("Hello", "--model", "premium", "--json").stdout)["decision"]
    off = json.loads(run("Hello", "--model", "premium", "--live", "--json").stdout)["decision"]

    assert on["lane"] == "premium"
    assert off["lane"] != "premium"
    assert any(rung["lane"] == "premium" and "no key" in rung["because"] for rung in off["closed"])


@pytest.mark.parametrize("arguments", [(), ("Hello", "--input", "-"), ("--input", "no-such-file.jsonl")])
def test_what_can_not_be_read_is_bad_input(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_bundle_that_does_not_check_is_a_no(tmp_path: Path) -> None:
    result = run("Hello", "--bundle", str(tmp_path), "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "bundle_invalid"


def test_a_lane_that_redacts_says_what_it_takes_out(tmp_path: Path) -> None:
    bundle = with_redaction(STARTER, tmp_path / "bundle")
    text = "My name is Ada Moore. What is the capital of France?"

    shown = CliRunner().invoke(app, ["decide", text, "--bundle", str(bundle), "--model", LANE])

    assert "premium_redacted (gpt-4.1) on start, pii taken out" in " ".join(shown.stdout.replace("│", " ").split())
