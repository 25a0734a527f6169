from pathlib import Path

import pytest
from hypothesis import settings

from router.bundle import Bundle, load_bundle
from router.contract import Topic
from router.testing import ScriptedHeads

# A shared machine's pauses are no finding: laws are about answers, not about time.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")

STARTER = Path("config/starter").resolve()


def everyday_topic(text: str) -> Topic:
    return Topic(intent="question", confidence=0.9, domain="general", mode="chat", difficulty=0.2)


@pytest.fixture(scope="session")
def heads() -> ScriptedHeads:
    return ScriptedHeads(
        everyday_topic, intents=("question", "book_flight", "coding", "extraction"), domains=("general", "travel")
    )


@pytest.fixture(scope="session")
def starter_folder() -> Path:
    return STARTER


@pytest.fixture(scope="session")
def starter(heads: ScriptedHeads) -> Bundle:
    return load_bundle(STARTER, heads)
