import pytest

from router.scan import scan_text


def raised(text: str) -> set[tuple[str, str]]:
    return {(found.entity, text[found.start : found.end]) for found in scan_text(text) if found.score >= 0.5}


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("write to info@presidio.site today", "EMAIL_ADDRESS", "info@presidio.site"),
        ("user@xn--80ak6aa92e.com", "EMAIL_ADDRESS", "user@xn--80ak6aa92e.com"),
        ("call (415) 555-0132", "PHONE_NUMBER", "(415) 555-0132"),
        ("+33 1 42 68 53 00", "PHONE_NUMBER", "+33 1 42 68 53 00"),
        ("My Japanese number is 090-1234-5678", "PHONE_NUMBER", "090-1234-5678"),
        ("host 203.113.5.9 is down", "IP_ADDRESS", "203.113.5.9"),
        ("ssh to 192.168.1.10", "IP_ADDRESS", "192.168.1.10"),
        ("My MAC is 00:1A:2B:3C:4D:5E", "MAC_ADDRESS", "00:1A:2B:3C:4D:5E"),
        ("I live at 221 Baker Street", "LOCATION", "221 Baker Street"),
        ("My name is Ada Lovelace", "PERSON", "Ada Lovelace"),
        ("patient Jane Roe complains", "PERSON", "Jane Roe"),
        ("Mr. Mayers called", "PERSON", "Mayers"),
        ("I was born on 1 May 1980", "DATE_OF_BIRTH", "1 May 1980"),
        ("DOB: 05/01/1980", "DATE_OF_BIRTH", "05/01/1980"),
        ("my passport number is A12803456", "US_PASSPORT", "A12803456"),
        ("account number 0048219931", "US_BANK_NUMBER", "0048219931"),
        ("mein Name: Jürgen\nMr. Österberg schrieb", "PERSON", "Österberg"),
    ],
)
def test_what_identifies_is_found_where_it_stands(text: str, entity: str, value: str) -> None:
    assert (entity, value) in raised(text)


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1 is localhost",
        "std::vector<int> v; ::x",
        "version 1.2.3.4 is out",
        "this is not an email: hello-world here",
        "the meeting is at 10:30",
        "Who was Napoleon Bonaparte?",
        "the year 2020-2021",
        "FF:FF:FF:FF:FF:FF",
        "Dear Sir or Madam",
        "This is Monday",
        "I am Happy",
        "my phone is broken since 2019",
    ],
)
def test_ordinary_text_identifies_nobody(text: str) -> None:
    assert raised(text) == set()
