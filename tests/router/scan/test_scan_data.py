"""The recognisers against what others published; skipped where the shared data is absent."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from router.scan import scan_text

SHARED = Path(os.environ.get("LANE_DATA", Path(__file__).parents[4] / "shared" / "data"))
RAISE_AT = 0.5
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared data at {SHARED}; set LANE_DATA")


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHARED / "pii/recognizer_cases_dev.jsonl").read_text("utf-8").splitlines()]


def overlaps(text: str, spans: list[list[int]]) -> bool:
    found = [one for one in scan_text(text) if one.score >= RAISE_AT]
    return any(one.start < end and one.end > start for one in found for start, end in spans)


def raises(text: str) -> bool:
    return any(found.score >= RAISE_AT for found in scan_text(text))


NOT_IDENTIFIERS = {"spacy", "stanza", "transformers", "date", "url"}
"""What recognises names in prose is the deep scan's; a date or a web address alone is nobody's, and raises nothing."""


@needs_data
def test_structured_identifiers_are_found() -> None:
    wanted = [row for row in rows() if row["spans"] and row["recognizer"] not in NOT_IDENTIFIERS]

    missed = [row["text"] for row in wanted if not overlaps(row["text"], row["spans"])]

    assert len(wanted) > 300
    assert len(missed) / len(wanted) <= 0.05


@needs_data
def test_what_holds_nothing_is_seldom_blocked() -> None:
    nothing = [row["text"] for row in rows() if not row["spans"]]

    blocked = [text for text in nothing if raises(text)]

    assert len(nothing) > 250
    assert len(blocked) / len(nothing) <= 0.1


@needs_data
@pytest.mark.parametrize(
    ("name", "entity", "floor"),
    [
        ("synth_v2_dev.json", "CREDIT_CARD", 0.99),
        ("synth_v2_dev.json", "PHONE_NUMBER", 0.98),
        ("synth_v2_dev.json", "EMAIL_ADDRESS", 1),
        ("synth_v2_dev.json", "IBAN_CODE", 1),
        ("synth_v2_dev.json", "US_SSN", 1),
        ("synth_v2_dev.json", "IP_ADDRESS", 1),
        ("synth_v2_dev.json", "US_DRIVER_LICENSE", 1),
        ("synth_v2_dev.json", "AGE", 0.9),
        ("synth_v2_dev.json", "STREET_ADDRESS", 0.7),
        ("tests_generated_large.json", "CREDIT_CARD", 0.99),
        ("tests_generated_large.json", "PHONE_NUMBER", 0.95),
        ("tests_generated_large.json", "EMAIL_ADDRESS", 1),
        ("tests_generated_large.json", "IBAN_CODE", 1),
        ("tests_generated_large.json", "US_SSN", 1),
        ("tests_generated_large.json", "IP_ADDRESS", 1),
        ("tests_generated_large.json", "ADDRESS", 0.58),
    ],
)
def test_what_documents_hold_is_found(name: str, entity: str, floor: float) -> None:
    spans = [
        (document["full_text"], [[span["start_position"], span["end_position"]]])
        for document in json.loads((SHARED / "pii" / name).read_text("utf-8"))
        for span in document["spans"]
        if span["entity_type"] == entity
    ]

    found = [text for text, span in spans if overlaps(text, span)]

    assert len(found) / len(spans) >= floor


@needs_data
@pytest.mark.parametrize("name", ["synth_v2_dev.json", "tests_generated_large.json"])
def test_documents_without_personal_data_are_not_blocked(name: str) -> None:
    documents = json.loads((SHARED / "pii" / name).read_text("utf-8"))

    blocked = [document for document in documents if not document["spans"] and raises(document["full_text"])]

    assert len(blocked) <= 2


@needs_data
def test_secrets_are_told_from_what_looks_like_them() -> None:
    lines = [
        json.loads(line) for line in (SHARED / "pii/detect_secrets_fixtures.jsonl").read_text("utf-8").splitlines()
    ]

    for line in lines:
        credentials = {found.category for found in scan_text(line["text"]) if found.score >= RAISE_AT}
        assert ("credentials" in credentials) == bool(line["label"]), line["type"]


@needs_data
def test_everyday_queries_are_seldom_blocked() -> None:
    splits = json.loads((SHARED / "routing/clinc150_dev.json").read_text("utf-8"))
    queries = [text for split in splits.values() for text, _ in split]

    blocked = [text for text in queries if raises(text)]

    assert len(queries) > 15_000
    assert len(blocked) / len(queries) <= 0.002


@needs_data
def test_exam_questions_are_seldom_blocked() -> None:
    csv.field_size_limit(1 << 30)
    with (SHARED / "routing/model_results_dev.csv").open(encoding="utf-8", newline="") as file:
        prompts = [row["prompt"] for row in csv.DictReader(file)][:3000]

    blocked = [text for text in prompts if raises(text)]

    assert len(blocked) / len(prompts) <= 0.015
