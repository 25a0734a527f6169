"""The measure itself: made-up texts with known answers, scripted readers, no model."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evals.boundary import evaluate, texts_to_read
from benchmarks.evals.boundary_data import read_data
from benchmarks.evals.readers import Readers, Timed
from cli.show_eval import tables
from router.contract import Alarm, Finding, Topic
from router.errors import BadRequest
from router.testing import ScriptedHeads


def sees(word: str, score: float, category: str = "pii") -> Any:
    def reads(text: str) -> tuple[Finding, ...]:
        start = text.find(word)
        if start < 0:
            return ()
        return (
            Finding(
                entity="X", category=category, start=start, end=start + len(word), score=score, detector="scripted"
            ),
        )

    return reads


def topic(text: str) -> Topic:
    return Topic(
        intent="question",
        confidence=1,
        domain="general",
        mode="chat",
        attack=Alarm(score=0.9 if "ignore" in text else 0.1),
    )


HEADS = ScriptedHeads(topic)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def span(entity: str, start: int, end: int) -> dict[str, Any]:
        return {"entity_type": entity, "start_position": start, "end_position": end}

    documents = [
        {"full_text": "Ada called", "spans": [span("PERSON", 0, 3)]},
        {"full_text": "Card 4111", "spans": [span("CREDIT_CARD", 5, 9)]},
        {"full_text": "Nobody called", "spans": []},
    ]
    (tmp_path / "pii").mkdir()
    (tmp_path / "pii" / "synth_v2_test.json").write_text(json.dumps(documents))
    cases = [
        {"text": "4111", "entities": ["CREDIT_CARD"], "recognizer": "card", "spans": [[0, 4]]},
        {"text": "12", "entities": None, "recognizer": "card", "spans": None},
    ]
    (tmp_path / "recognizer_cases_test.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (tmp_path / "clinc150_test.json").write_text(
        json.dumps(
            {"train": [["never read", "x"]], "test": [["where is ada", "x"]], "oos_test": [["who won it", "oos"]]}
        )
    )
    prompts = [{"text": f"ignore {n}", "label": "attack", "source": "a"} for n in range(3)]
    prompts += [{"text": f"hello\u2028 {n}", "label": "benign", "source": "XSTest"} for n in range(100)]
    (tmp_path / "prompt_risk_test.jsonl").write_text(
        "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in prompts), "utf-8"
    )
    return tmp_path


def measured(folder: Path, fast: Any, deep: Any) -> Any:
    steps: list[None] = []
    data = read_data(folder)
    readers = Readers(Timed(fast), Timed(deep), Timed(sees("nothing at all", 1.0)))
    report = evaluate(data, readers, HEADS, 0.5, lambda: steps.append(None))
    assert len(steps) == texts_to_read(data)
    return report


def test_what_either_scan_finds_is_kept_and_the_curve_moves_the_deep_scans_bar_alone(folder: Path) -> None:
    kept = measured(folder, sees("4111", 0.5, "payment"), sees("Ada", 0.6)).figures["kept_before_leaving"]

    assert kept["fast"]["personal"] == 0.5
    assert kept["fast_and_deep"] == {"personal": 1.0, "span_free": 0.0, "queries": 0.0}
    at = {row["threshold"]: row["personal"] for row in kept["curve"]}
    assert (at[0.5], at[0.6], at[0.7]) == (1.0, 1.0, 0.5)


def test_a_finding_below_the_bundles_bar_counts_for_nothing(folder: Path) -> None:
    figures = measured(folder, sees("4111", 0.4, "payment"), sees("Ada", 0.4)).figures

    assert figures["kept_before_leaving"]["fast_and_deep"]["personal"] == 0.0
    assert figures["recogniser_cases"]["structured_recall"]["fast"] == 0.0


def test_a_find_of_another_category_is_no_recall_and_costs_precision(folder: Path) -> None:
    scores = measured(folder, sees("4111", 0.9, "pii"), sees("-", 1)).figures["by_category"]["fast"]

    assert scores["payment"]["recall"] == 0.0
    assert scores["pii"]["precision"] == 0.0


def test_every_aim_that_there_is_data_for_is_judged_and_one_missed_is_enough(folder: Path) -> None:
    report = measured(folder, sees("4111", 0.9, "payment"), sees("called", 0.9))

    missed = {aim.name for aim in report.aims if not aim.met}
    assert "documents without a span, kept" in missed
    assert "attacks: recall at 1% false alarms" not in missed
    assert not report.met
    assert report.as_json()["met"] is False
    assert len(list(tables(report))) == 7


def test_training_splits_are_no_queries_and_odd_line_ends_cut_no_prompt(folder: Path) -> None:
    data = read_data(folder)

    assert data.queries == ("where is ada", "who won it")
    assert len(data.prompts) == 103


def test_a_part_without_a_file_is_not_judged(folder: Path) -> None:
    for name in ("prompt_risk_test.jsonl", "clinc150_test.json", "pii/synth_v2_test.json"):
        (folder / name).unlink()

    names = {aim.name for aim in measured(folder, sees("4111", 0.9), sees("-", 1)).aims}

    assert not [name for name in names if "attack" in name or "documents" in name or "queries" in name]


def test_a_folder_without_data_and_a_broken_file_are_bad_input(folder: Path, tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(BadRequest, match="none of the files"):
        read_data(empty)
    (folder / "pii" / "synth_v2_test.json").write_text("[{}]")
    with pytest.raises(BadRequest, match="not in the layout"):
        read_data(folder)
