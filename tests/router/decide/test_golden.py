"""Recorded decisions: one file a case, held against today's code as a whole.

After a deliberate change, `python tests/router/decide/test_golden.py` writes them anew; the diff is what the change does.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.bundle import Bundle, load_bundle
from router.contract import Finding, ImagePart, Message, RouteRequest, TextPart, Topic
from router.decide import decide
from router.state import State
from router.testing import ScriptedHeads

FOLDER = Path(__file__).parent.parent / "golden"
CASES = sorted(FOLDER.glob("*.yaml"))


def decision_of(case: dict[str, Any], starter: Path) -> dict[str, Any]:
    text = case["text"] if isinstance(case["text"], str) else case["text"]["repeat"] * case["text"]["times"]
    topic = {"intent": "question", "confidence": 0.9, "domain": "general", "mode": "chat", "difficulty": 0.2}
    heads = ScriptedHeads(
        lambda _: Topic.model_validate(topic | case.get("topic", {})),
        intents=("question", "coding", "extraction"),
        domains=("general",),
    )
    image = [ImagePart(media_type="image/png", data="aGk=")] if case.get("image") else []
    request = RouteRequest.model_validate(
        {"org": "local", "messages": [Message(role="user", content=(TextPart(text=text), *image))]}
        | case.get("request", {})
    )
    found = tuple(Finding.model_validate(one) for one in case.get("found", []))
    decision = decide(
        request, bundle_of(starter, heads), State.model_validate(case.get("state", {})), scan=lambda *_: found
    )
    return decision.model_dump(mode="json") | {"bundle_hash": "the starter bundle's"}


_LOADED: dict[Path, Bundle] = {}


def bundle_of(folder: Path, heads: ScriptedHeads) -> Bundle:
    """The starter bundle with these heads; it is read once."""
    if folder not in _LOADED:
        _LOADED[folder] = load_bundle(folder, heads)
    return dataclasses.replace(_LOADED[folder], heads=heads)


@pytest.mark.parametrize("file", CASES, ids=[file.stem for file in CASES])
def test_the_decision_is_the_recorded_one(file: Path, starter_folder: Path) -> None:
    case = yaml.safe_load(file.read_text())

    assert decision_of(case, starter_folder) == case["decision"]


def test_there_are_cases() -> None:
    assert len(CASES) >= 20


if __name__ == "__main__":
    for path in CASES:
        before, _, _ = path.read_text().partition("decision:")
        recorded = decision_of(yaml.safe_load(path.read_text()), Path("config/starter").resolve())
        path.write_text(before + yaml.safe_dump({"decision": recorded}, sort_keys=False, width=120, allow_unicode=True))
