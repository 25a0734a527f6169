from pathlib import Path

import pytest

from router.bundle import Bundle, load_bundle
from router.contract import Topic
from router.testing import ScriptedHeads

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
