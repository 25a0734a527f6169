import pytest

from router.scan import scan_text

TOLD = {
    "employment": [
        "my salary is 84,500 and my manager wants to cut it",
        "I was fired last week, what are my options?",
        "I'm on a PIP and I think HR will let me go",
        "I make $62,000 a year as a nurse",
        "my boss keeps harassing me",
        "John Smith was laid off on Friday",
        "my bonus was reduced without notice",
        "I got a written warning from HR",
        "My employer is refusing to pay my overtime",
        "my wife was just made redundant",
    ],
    "health": [
        "I was diagnosed with lupus last year",
        "I have type 2 diabetes and want a diet plan",
        "I'm pregnant and my boss does not know",
        "my son has asthma",
        "I take 50 mg of sertraline every day",
        "my biopsy results came back",
        "Maria Lopez was diagnosed with HIV",
        "Patient John Smith, 54, presents with chest pain",
        "my therapist says I should quit",
        "I’m HIV-positive, can I travel?",
        "I had a miscarriage in May",
        "my depression is getting worse",
    ],
    "finance": [
        "my account balance is 312 dollars and rent is due",
        "I'm behind on my mortgage",
        "I owe $14,000 to my brother",
        "my credit score is 580",
        "we filed for bankruptcy in March",
        "my student loans are about 48,000",
    ],
    "legal": [
        "I was arrested last night",
        "my landlord is evicting me",
        "I'm being sued by a former client",
        "my lawyer said I should settle",
        "I overstayed my visa by two months",
        "my ex-wife is suing me for custody",
        "my brother is on parole",
        "I was charged with shoplifting",
    ],
}
TOPICS = [
    "what is a severance package?",
    "What are the symptoms of diabetes?",
    "How does a mortgage work?",
    "Explain the statute of limitations",
    "is metformin safe during pregnancy?",
    "how do credit scores work",
    "What rights do employees have when they are fired?",
    "Write a story about a lawyer who loses a case",
    "what is my account balance",
    "when is my payday",
    "increase my credit limit to $7,500",
    "i broke my card",
    "I fired up the engine",
    "what vaccines do I need for Brazil",
    "How is bail set?",
    "my boss told me to summarize this report",
    "my pay was late, whom do I ask?",
    "Who was arrested in the Watergate scandal?",
    "how is severance pay taxed",
    "Summarize the pros and cons of chemotherapy",
    "what does a parole officer do",
    "What's the average salary of a nurse?",
]


@pytest.mark.parametrize(("category", "text"), [(name, text) for name, texts in TOLD.items() for text in texts])
def test_a_fact_told_about_a_person_raises_its_category(category: str, text: str) -> None:
    assert category in {found.category for found in scan_text(text) if found.score >= 0.5}


@pytest.mark.parametrize("text", TOPICS)
def test_a_topic_alone_raises_nothing(text: str) -> None:
    assert [found for found in scan_text(text) if found.score >= 0.5] == []


def test_a_fact_late_in_a_long_text_is_found() -> None:
    text = "The weather was fine. " * 500 + "I was diagnosed with lupus." + " It rained." * 500

    (found, *_) = [found for found in scan_text(text) if found.category == "health"]

    assert text[found.start : found.end].startswith("I was diagnosed")


@pytest.mark.parametrize(
    "text",
    [
        "Patient Ada Moore, born 1 May 1980, has lupus",
        "Ada Moore, who lives in Kent, was diagnosed with lupus.",
    ],
)
def test_an_aside_between_somebody_and_what_is_told_of_them_hides_nothing(text: str) -> None:
    assert "health" in {finding.category for finding in scan_text(text)}
