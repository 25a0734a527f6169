"""The examples of docs/policy.md, applied to the starter bundle and tried."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from router.boundary import SendQuestion
from router.bundle import Bundle, check_bundle, load_bundle
from router.bundle.load import load_draft
from router.bundle.variables import VARIABLES
from router.contract import Label, Message, RouteRequest, TextPart, Topic
from router.decide import decide
from router.state import State
from router.testing import ScriptedHeads

pytestmark = pytest.mark.slow

PAGE = Path("docs/policy.md").read_text()
EXAMPLES = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path, starter_folder: Path) -> Path:
    return shutil.copytree(starter_folder, tmp_path / "bundle")


def insert(file: Path, before: str, text: str) -> None:
    said = file.read_text()
    assert said.count(before) == 1
    file.write_text(said.replace(before, text + before))


def replace(file: Path, old: str, new: str) -> None:
    said = file.read_text()
    assert said.count(old) >= 1
    file.write_text(said.replace(old, new, 1))


def ask(text: str, **fields: object) -> RouteRequest:
    return RouteRequest.model_validate(
        {"org": "local", "messages": [Message(role="user", content=(TextPart(text=text),))]} | fields
    )


def no_findings(text: str, message: int) -> tuple[()]:
    return ()


def test_every_example_is_tried_below() -> None:
    assert set(EXAMPLES) == {"routes.yaml", "tiers.yaml", "boundary/ours.cedar", "boundary/legal.cedar", "tests.yaml"}


def test_the_table_of_variables_is_true_to_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)

    assert rows == [(variable.name, variable.kind, variable.meaning) for variable in VARIABLES]


def test_the_route_takes_the_questions_it_names(folder: Path, heads: ScriptedHeads) -> None:
    insert(folder / "routes.yaml", "  - id: everyday", EXAMPLES["routes.yaml"])

    decision = decide(ask("How much vacation do I get?"), load_bundle(folder, heads), State(), scan=no_findings)

    assert (decision.route, decision.lane) == ("people_questions", "private")


def test_the_tier_rule_raises_the_tier(folder: Path, heads: ScriptedHeads) -> None:
    insert(folder / "tiers.yaml", "  - id: changes-state", EXAMPLES["tiers.yaml"])
    money = ScriptedHeads(
        lambda _: Topic(intent="question", confidence=1, domain="general", mode="chat", regulated=("finance",)),
        intents=("question", "coding", "extraction"),
        domains=("general",),
    )

    decision = decide(
        ask("What is an index fund?", channel="web"), load_bundle(folder, money), State(), scan=no_findings
    )

    assert "web-visitors-ask-about-money" in [policy.id for policy in decision.policies]


def test_the_forbid_closes_one_lane_to_one_tenant(folder: Path, heads: ScriptedHeads) -> None:
    add_policy(folder, "boundary/ours.cedar")
    bundle = load_bundle(folder, heads)

    def fired(org: str) -> list[str]:
        verdict = bundle.boundary.may_send(SendQuestion(org, "code", Label(), "low"))
        return [policy.id for policy in verdict.policies]

    assert "eu-without-code-lane" in fired("example-eu")
    assert fired("local") == ["unsensitive-may-leave"]


def test_the_case_is_one_of_the_bundles_and_passes(folder: Path, heads: ScriptedHeads) -> None:
    with (folder / "tests.yaml").open("a") as file:
        file.write(EXAMPLES["tests.yaml"])

    cases = load_draft(folder, heads).source.cases["tests.yaml"].cases

    decision = decide(ask(**cases[-1].request), load_bundle(folder, heads), State(), scan=no_findings)
    assert (decision.route, decision.lane) == (cases[-1].expect.route, cases[-1].expect.lane)


def add_policy(folder: Path, name: str) -> None:
    (folder / name).write_text(EXAMPLES[name])


STEPS: dict[str, Callable[[Path], None]] = {
    "lanes.yaml": lambda folder: replace(
        folder / "lanes.yaml", "    context_tokens: 128000\n", "    context_tokens: 128000\n    cleared_for: [legal]\n"
    ),
    "tiers.yaml": lambda folder: replace(folder / "tiers.yaml", "legal: confidential", "legal: internal"),
    "boundary/properties.yaml": lambda folder: replace(
        folder / "boundary/properties.yaml",
        "when: hosted && size(categories) > 0",
        "when: hosted && categories.exists(name, !(name in cleared_for))",
    ),
    "boundary/legal.cedar": lambda folder: add_policy(folder, "boundary/legal.cedar"),
}


def may_leave(bundle: Bundle, category: str) -> bool:
    request = ask("May they end the lease?", model="premium", labels={"categories": [category]})
    return decide(request, bundle, State(), scan=no_findings).lane == "premium"


def test_letting_something_out_takes_every_step(folder: Path, heads: ScriptedHeads) -> None:
    for step in STEPS.values():
        step(folder)

    bundle = load_bundle(folder, heads)

    assert may_leave(bundle, "legal")
    assert not may_leave(bundle, "health")


@pytest.mark.parametrize("left_out", STEPS)
def test_with_a_step_left_out_nothing_leaves(folder: Path, heads: ScriptedHeads, left_out: str) -> None:
    for name, step in STEPS.items():
        if name != left_out:
            step(folder)

    assert check_bundle(folder, heads) or not may_leave(load_bundle(folder, heads), "legal")
