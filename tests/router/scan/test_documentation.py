"""docs/scan.md names every entity, under the category that the scan gives it."""

import re
from pathlib import Path

import pytest

from router.scan import scan_text
from router.scan.papers import PAPERS
from router.scan.schemes import SCHEMES

PAGE = (Path(__file__).parents[3] / "docs/scan.md").read_text("utf-8")
ROWS = {
    line.split("|")[1].strip(): set(re.findall(r"`([A-Z_]+)`", line))
    for line in PAGE.splitlines()
    if line.startswith("| ")
}
SAID = {entity: category for category, entities in ROWS.items() for entity in entities}
SHOWN = {
    "EMAIL_ADDRESS": "a@b.example",
    "PHONE_NUMBER": "+44 20 7946 0958",
    "IP_ADDRESS": "10.1.2.3",
    "MAC_ADDRESS": "00:1A:2B:3C:4D:5E",
    "URL": "https://example.com/x",
    "PERSON": "my name is Ada Moore",
    "LOCATION": "221 Baker Street",
    "AGE": "he just turned 34 years old",
    "DATE_OF_BIRTH": "born on 1 May 1980",
    "DATE_TIME": "on 2024-03-15",
    "NATIONAL_ID": "green card number A1234567",
    "MEDICAL_RECORD": "mrn 1234567",
    "HEALTH_FACT": "I was diagnosed with lupus",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "GB82 WEST 1234 5698 7654 32",
    "CRYPTO": "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ",
    "US_BANK_NUMBER": "account number 0048219931",
    "CREDENTIAL": "AKIA" + "IOSFODNN7EXAMPLE",
    "PASSWORD": "my password is hunter2!",
    "URL_PASSWORD": "https://ada:hunter2@example.com",
    "PIN": "my pin is 4821",
    "HIGH_ENTROPY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "FINANCE_FACT": "I owe $14,000 to my brother",
    "EMPLOYMENT_FACT": "I was fired last week",
    "EMPLOYEE_ID": "employee number E12345",
    "LEGAL_FACT": "I was arrested last night",
    "CASE_NUMBER": "docket 2023-1234",
}


def test_every_scheme_of_the_tables_is_named_with_its_category() -> None:
    for row in (*PAPERS, *SCHEMES):
        assert SAID.get(row.entity, "").startswith(row.category), row.entity


@pytest.mark.parametrize(("entity", "text"), SHOWN.items(), ids=SHOWN.keys())
def test_every_other_entity_is_named_with_its_category(entity: str, text: str) -> None:
    (category, *_) = [found.category for found in scan_text(text) if found.entity == entity]

    assert category in SAID[entity]


def test_the_page_names_nothing_that_the_scan_does_not_know() -> None:
    assert SAID.keys() == {row.entity for row in (*PAPERS, *SCHEMES)} | SHOWN.keys()
