"""The examples of docs/tiers.md, applied to the starter bundle and tried."""

import re
import shutil
from pathlib import Path

import pytest

from router.bundle import Bundle, check_bundle, load_bundle
from router.bundle.files.demands import Demand
from router.checks import Withheld, check_answer
from router.contract import Decision, Message, RouteRequest, TextPart, Topic
from router.decide import decide
from router.state import State
from router.testing import ScriptedHeads

PAGE = Path("docs/tiers.md").read_text()
EXAMPLES = dict(re.findall(r"```yaml (.+?)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path, starter_folder: Path) -> Path:
    return shutil.copytree(starter_folder, tmp_path / "bundle")


def put(file: Path, before: str, text: str) -> None:
    said = file.read_text()
    assert said.count(before) == 1
    file.write_text(said.replace(before, text + before))


def about(**topic: object) -> ScriptedHeads:
    given = {"intent": "question", "confidence": 0.9, "domain": "general", "mode": "chat"}
    return ScriptedHeads(
        lambda _: Topic.model_validate(given | topic),
        intents=("question", "order_status", "coding", "extraction"),
        domains=("general",),
    )


def ask(text: str, bundle: Bundle) -> tuple[RouteRequest, Decision]:
    request = RouteRequest(org="local", messages=(Message(role="user", content=(TextPart(text=text),)),))
    return request, decide(request, bundle, State(), scan=lambda *_: ())


def test_every_example_is_tried_below() -> None:
    assert set(EXAMPLES) == {"lanes.yaml", "tiers.yaml", "routes.yaml", "tiers.yaml checks"}


def test_the_table_lists_every_demand() -> None:
    table = PAGE.partition("## What can be demanded")[2].partition("## ")[0]
    words = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)

    assert {word for cell in words for word in re.findall(r"`(\w+)`", cell)} == set(Demand.model_fields)


def test_a_topic_gets_its_lanes_its_context_and_its_person(folder: Path) -> None:
    tiers = folder / "tiers.yaml"
    tiers.write_text(re.sub(r"  health:\n(?:    .*\n)+", EXAMPLES["tiers.yaml"], tiers.read_text(), count=1))
    put(folder / "lanes.yaml", "  - name: embedding\n", EXAMPLES["lanes.yaml"])
    bundle = load_bundle(folder, about(regulated=("health",)))

    _, decision = ask("What helps against a cold?", bundle)

    assert {rung.lane for rung in decision.ladder} == {"private"}
    assert decision.review
    assert decision.stream.release == "hold"
    assert decision.retrieval is not None
    assert (decision.retrieval.index, decision.retrieval.depth) == ("help_center", "deep")
    assert decision.output_contract.citations


def test_a_person_needs_a_lane_that_leads_to_one(folder: Path, heads: ScriptedHeads) -> None:
    tiers = folder / "tiers.yaml"
    lanes = folder / "lanes.yaml"
    tiers.write_text(tiers.read_text().replace("then: next_rung", "then: person"))
    tiers.write_text(re.sub(r"  health:\n(?:    .*\n)+", EXAMPLES["tiers.yaml"], tiers.read_text(), count=1))
    lanes.write_text(re.sub(r"(?m)^ +people: .*\n", "    model: smollm2-135m-instruct\n", lanes.read_text()))

    found = check_bundle(folder, heads)

    assert any("look at every answer" in finding.message for finding in found)
    assert any("puts an answer before a person" in finding.message for finding in found)


def test_the_second_question_is_asked_where_the_first_has_its_answer(folder: Path) -> None:
    routes = folder / "routes.yaml"
    routes.write_text(re.sub(r"    clarify:\n(?:      .*\n)+", EXAMPLES["routes.yaml"], routes.read_text(), count=1))
    tiers = folder / "tiers.yaml"
    tiers.write_text(tiers.read_text().replace("when: confidence < 0.3", "when: confidence < 0.1"))
    bundle = load_bundle(folder, about(confidence=0.2))

    assert (
        ask("Where is my order?", bundle)[1].message
        == "Which order is it about? Please name its number, or the number of your ticket."
    )
    assert "not sure" in str(ask("Where is my order 12345?", bundle)[1].message)


def test_a_check_of_ones_own_is_made(folder: Path) -> None:
    put(folder / "tiers.yaml", "  - id: guarantees\n", EXAMPLES["tiers.yaml checks"] + "\n")
    tiers = folder / "tiers.yaml"
    tiers.write_text(tiers.read_text().replace("checks: [others-data,", "checks: [delivery-dates, others-data,", 1))
    bundle = load_bundle(folder, about(intent="order_status"))
    request, decision = ask("When does my order 12345 come?", bundle)

    result = check_answer("It will arrive on Monday.", decision, request, bundle)

    assert isinstance(result, Withheld)
    assert (result.check_id, result.then) == ("delivery-dates", "next_rung")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("checks: [guarantees, dosage]", "checks: [guarantees, dosages]", "unknown check `dosages`"),
        ("  finance:\n", "  finances:\n", "unknown topic `finances`"),
        (
            "stream: hold\n    keep",
            "stream: live\n    keep",
            "asks for less than a tier below it: its `stream` has no effect",
        ),
        ("temperature_at_most: 0.7", "temperature_at_most: 0.7\n    lanes: [moon]", "unknown lane `moon`"),
        ("  pii:\n", "  pii:\n    index: atlas\n", "unknown index `atlas`"),
        ("  - id: guarantees\n", "  - id: dosage\n", "check `dosage` is there twice"),
        ("pattern: '", "pattern: '(", "the pattern can't be read"),
        ("    sources_may_say: true\n", "    sources_may_say: true\n    when: answers\n", "unknown variable `answers`"),
        ("    looks_for: data\n", "    looks_for: data\n    words: [x]\n", "takes no `words`"),
        ("stream: window(64)", "stream: window(much)", "a stream rule is"),
    ],
)
def test_what_is_wrong_with_a_demand_is_said(folder: Path, heads: ScriptedHeads, old: str, new: str, says: str) -> None:
    tiers = folder / "tiers.yaml"
    assert old in tiers.read_text()
    tiers.write_text(tiers.read_text().replace(old, new, 1))

    found = check_bundle(folder, heads)

    assert any(says in finding.message and finding.file == "tiers.yaml" for finding in found), found


def test_lanes_without_one_in_common_are_said_once(folder: Path, heads: ScriptedHeads) -> None:
    tiers = folder / "tiers.yaml"
    said = tiers.read_text().replace("temperature_at_most: 0.7", "temperature_at_most: 0.7\n    lanes: [private]")
    tiers.write_text(said.replace("  pii:\n", "  pii:\n    lanes: [fast_small]\n"))

    found = [finding.message for finding in check_bundle(folder, heads)]

    assert [one for one in found if "none in common" in one] == [
        "the lanes of the tier `elevated` and the topic `pii` have none in common: nothing may answer"
    ]


def test_a_question_that_cannot_be_compiled_is_said(folder: Path, heads: ScriptedHeads) -> None:
    routes = folder / "routes.yaml"
    routes.write_text(routes.read_text().replace('"!has_number"', "has_numbers"))

    found = check_bundle(folder, heads)

    assert any("unknown variable `has_numbers`" in finding.message for finding in found)
