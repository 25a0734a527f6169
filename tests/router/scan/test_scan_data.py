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
CHECKED = {
    "aba_routing", "au_medicare", "au_tfn", "ca_sin", "credit_card", "crypto", "de_health_insurance", "de_social_security", "es_nie", "es_nif",
    "fi_personal_identity_code", "in_aadhaar", "it_fiscal_code", "kr_rrn", "pl_pesel", "se_personnummer", "th_tnin", "tr_national_id",
    "uk_nhs", "uk_nino", "us_itin", "us_mbi", "us_npi", "us_ssn", "za_id_number",
}  # fmt: skip

needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared data at {SHARED}; set LANE_DATA")


def cases() -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (SHARED / "pii/recognizer_cases_dev.jsonl").read_text("utf-8").splitlines()]
    return [row for row in rows if row["recognizer"] in CHECKED]


def raises(text: str) -> bool:
    return any(found.score >= RAISE_AT for found in scan_text(text))


@needs_data
def test_checked_identifiers_are_recalled() -> None:
    wanted = [row for row in cases() if row["expected_len"]]

    found = [row for row in wanted if any(one.entity in row["entities"] for one in scan_text(row["text"]))]

    assert len(wanted) > 80
    assert len(found) / len(wanted) >= 0.93


@needs_data
def test_what_fails_its_check_is_seldom_taken_for_that_identifier() -> None:
    others = [row for row in cases() if not row["expected_len"] and not row["spans"]]

    wrong = [row for row in others if any(one.entity in row["entities"] for one in scan_text(row["text"]))]

    assert len(others) > 60
    assert len(wrong) / len(others) <= 0.06


@needs_data
def test_everyday_queries_are_seldom_blocked() -> None:
    queries = json.loads((SHARED / "routing/clinc150_dev.json").read_text("utf-8"))["val"]

    blocked = [text for text, _ in queries if raises(text)]

    assert len(queries) >= 3000
    assert len(blocked) / len(queries) <= 0.005


@needs_data
def test_exam_questions_are_seldom_blocked() -> None:
    csv.field_size_limit(1 << 30)
    with (SHARED / "routing/model_results_dev.csv").open(encoding="utf-8", newline="") as file:
        prompts = [row["prompt"] for row in csv.DictReader(file)][:3000]

    blocked = [text for text in prompts if raises(text)]

    assert len(blocked) / len(prompts) <= 0.03
