import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.scan import scan_text

VALID = {
    "CREDIT_CARD": (
        "4111 1111 1111 1111",
        "4111111111111111",
        "5500-0000-0000-0004",
        "371449635398431",
        "6011000400000000",
    ),
    "IBAN_CODE": ("GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"),
    "US_SSN": ("078-05-1123", "536-90-4399"),
    "UK_NINO": ("AB 12 34 56 C", "AB123456C"),
    "PL_PESEL": ("02070803628", "44051401359"),
    "IN_AADHAAR": ("4001 2345 6787", "399876543211"),
    "ES_NIF": ("12345678Z", "55555555-K"),
    "ES_NIE": ("X9613851N", "Y8063915-Z"),
    "SG_NRIC_FIN": ("S2740116C",),
    "ZA_ID_NUMBER": ("8001015009087",),
    "FR_NIR": ("2 55 08 14 168 025 38",),
    "BR_CPF": ("390.533.447-05",),
    "SE_PERSONNUMMER": ("199201232387", "19910924-2397"),
    "FI_PERSONAL_IDENTITY_CODE": ("131052-308T", "010594Y9032"),
    "IT_FISCAL_CODE": ("RSSMRA85T10A562S",),
    "MX_CURP": ("BOXW310820HNERXN09",),
    "CN_RESIDENT_ID": ("11010519491231002X",),
    "TH_TNIN": ("1234567890121",),
    "KR_RRN": ("960121-1234567",),
    "DE_HEALTH_INSURANCE": ("M123456785",),
    "DE_SOCIAL_SECURITY": ("15070649C103",),
    "US_MBI": ("1EG4-TE5-MK73",),
    "CRYPTO": ("16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297"),
    "UK_DRIVING_LICENCE": ("MORGA607054SM9IJ",),
}
CASES = [(entity, number) for entity, numbers in VALID.items() for number in numbers]
WORDS = st.text(st.characters(codec="utf-8", categories=("Ll", "Lu", "Zs", "Po")), max_size=60)


def raised(text: str) -> set[str]:
    return {finding.entity for finding in scan_text(text) if finding.score >= 0.5}


@pytest.mark.parametrize(("entity", "number"), CASES)
def test_a_number_whose_check_holds_is_found_where_it_stands(entity: str, number: str) -> None:
    text = f"Please look at {number}, thanks"

    spans = [
        text[found.start : found.end] for found in scan_text(text) if found.entity == entity and found.score >= 0.5
    ]

    assert spans == [number]


@pytest.mark.parametrize(
    ("entity", "number"),
    [
        ("CREDIT_CARD", "4111 1111 1111 1112"),
        ("CREDIT_CARD", "0000 0000 0000 0000"),
        ("IBAN_CODE", "GB82 WEST 1234 5698 7654 33"),
        ("US_SSN", "666-05-1123"),
        ("US_SSN", "078-05-1120"),
        ("PL_PESEL", "02070803629"),
        ("IN_AADHAAR", "4001 2345 6788"),
        ("ES_NIF", "12345678A"),
        ("SG_NRIC_FIN", "S2740116D"),
        ("ZA_ID_NUMBER", "8001015009086"),
        ("FI_PERSONAL_IDENTITY_CODE", "131052-308U"),
        ("CRYPTO", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2"),
        ("UK_NINO", "BG123456C"),
    ],
)
def test_a_number_whose_check_fails_raises_nothing_of_that_name(entity: str, number: str) -> None:
    assert entity not in raised(f"Please look at {number}, thanks")


@pytest.mark.parametrize(
    "text",
    [
        "invoice number 130692544 is paid",
        "order 221 395 1837 has shipped",
        "The population was 8336817 in 2020",
        "pi is 3.14159265358979",
        "build 4111111111111112",
        "It happened between 1939 and 1945",
        "compute 123456789 * 987654321",
        "see RFC 2119 and ISO 8601:2004",
    ],
)
def test_other_numbers_raise_nothing(text: str) -> None:
    assert raised(text) == set()


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("my SIN is 130692544", "CA_SIN"),
        ("NHS number 2213951837", "UK_NHS"),
        ("routing number 121000358", "ABA_ROUTING_NUMBER"),
        ("NPI 1234567893", "US_NPI"),
        ("my bsn 111222333", "NL_BSN"),
    ],
)
def test_a_weak_check_and_the_word_for_it_raise(text: str, entity: str) -> None:
    assert entity in raised(text)


@pytest.mark.parametrize(
    "disguise", ["４１１１ １１１１ １１１１ １１１１", "4111\u200b1111\u200b1111\u200b1111", "4111‐1111‐1111‐1111"]
)
def test_a_disguised_card_is_found_in_the_text_as_sent(disguise: str) -> None:
    text = f"Karte: {disguise}!"

    found = next(found for found in scan_text(text) if found.entity == "CREDIT_CARD")

    assert text[found.start : found.end] == disguise


@given(st.sampled_from(CASES), WORDS, WORDS)
def test_words_around_it_never_hide_a_checked_identifier(case: tuple[str, str], before: str, after: str) -> None:
    entity, number = case
    text = f"{before}\n{number}\n{after}"

    assert entity in {found.entity for found in scan_text(text)}


@given(st.text(max_size=300))
def test_every_span_lies_inside_the_text(text: str) -> None:
    for found in scan_text(text, message=3):
        assert 0 <= found.start < found.end <= len(text)
        assert found.message == 3


@given(st.text(st.sampled_from("0123456789 -.:/abAB@é４\u200b\n"), max_size=200))
def test_equal_texts_give_equal_findings(text: str) -> None:
    assert scan_text(text) == scan_text(text)
