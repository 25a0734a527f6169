from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.boundary import Boundary, Verdict
from router.bundle.files import LaneSpec
from router.bundle.promises import BoundaryProperty
from router.bundle.proof import all_verdicts, prove
from router.bundle.space import Question, SpaceTooLarge, Value, Way, ask, axes_of
from router.bundle.verdicts import Tabulator
from router.rules import Facts, compile_rule
from tests.router.bundle.policies import LANES, SCHEMA, TOOLS, boundary_of, policy_texts, space

SPACE = space()
ALL = {
    action: [
        dict(zip((axis.name for axis in axes), values, strict=True))
        for values in product(*(axis.values for axis in axes))
    ]
    for action, axes in SPACE.axes.items()
}


def answers(boundary: Boundary, org: str, way: Way) -> list[tuple[Question, Verdict]]:
    """Every question of a tenant and a way, and what Cedar says to it."""
    questions = [Question(org, way, values) for values in ALL[way.action]]
    return list(zip(questions, ask(boundary, questions), strict=True))


HOME = Way("send", "home")
PROPERTIES = (
    "hosted",
    'hosted && "pii" in categories',
    'org == "two" && level == "restricted"',
    'lane.startsWith("a") && size(jurisdictions) > 0',
    'categories.exists(name, name.startsWith("p")) && !("EU" in jurisdictions)',
    'risk_tier == "restricted" && categories.all(name, name in cleared_for)',
    'tool == "search" && level == "public"',
    "size(redacted) > 0 && hosted",
    "true",
)


def brute_force(boundary: Boundary, rule: BoundaryProperty) -> bool:
    """Whether the property holds, asked of each question, one by one."""
    condition = compile_rule(rule.when)
    for org, way in SPACE.pairs():
        for question, verdict in answers(boundary, org, way) if way.action in rule.actions else ():
            if verdict.allowed != (rule.must == "allow") and condition.holds(facts(question)):
                return False
    return True


def facts(question: Question) -> Facts:
    way = SPACE.ways[question.way]
    lane = way if isinstance(way, LaneSpec) else None
    asked: dict[str, object] = {
        "hosted": lane.hosted is not None if lane else way == TOOLS[0],
        "provider": (lane.hosted.provider if lane.hosted else "home") if lane else "",
        "region": lane.where if lane else "",
        "lane": lane.name if lane else "",
        "tool": "" if lane else way.name,
        "lane_jurisdictions": list(way.jurisdictions),
        "cleared_for": list(lane.cleared_for) if lane else [],
        "redacts": [],
        "org": question.org,
    }
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in question.values.items()}
    return Facts.of(asked | values)


@pytest.mark.slow
@settings(max_examples=5)  # Each is held against Cedar in every question there is.
@given(text=policy_texts())
def test_the_table_says_of_every_question_what_cedar_says(text: str) -> None:
    boundary = boundary_of(text)

    verdicts = all_verdicts(SPACE, boundary)

    for (org, way), table in verdicts.tables.items():
        said = {
            tuple(question.values.values()): (verdict.allowed, frozenset(fired.id for fired in verdict.policies))
            for question, verdict in answers(boundary, org, way)
        }
        covered = 0
        for combination in np.ndindex(*table.allowed.shape):
            for members in product(*(group.members[at] for group, at in zip(table.groups, combination, strict=True))):
                values: dict[str, Value] = {}
                for group, place in zip(table.groups, members, strict=True):
                    values |= group.values(int(place))
                key = tuple(values[axis.name] for axis in SPACE.axes[way.action])
                assert table.verdict(combination) == said[key]
                covered += 1
        assert covered == len(ALL[way.action])


@pytest.mark.slow
@settings(max_examples=5)  # Each is held against Cedar in every question there is.
@given(text=policy_texts(), when=st.sampled_from(PROPERTIES), must=st.sampled_from(("deny", "allow")))
def test_a_property_is_proved_exactly_when_no_question_breaks_it(text: str, when: str, must: str) -> None:
    boundary = boundary_of(text)
    rule = BoundaryProperty.model_validate({"id": "p", "because": "b", "when": when, "must": must})

    proof = prove(rule, all_verdicts(SPACE, boundary))

    assert proof.holds == brute_force(boundary, rule)
    if proof.broken_by is not None:
        broken = proof.broken_by
        (verdict,) = ask(boundary, [broken])
        assert verdict.allowed != (must == "allow")
        assert compile_rule(when).holds(facts(broken))


def test_a_condition_that_can_not_be_evaluated_is_not_proved() -> None:
    rule = BoundaryProperty(id="p", because="b", when="level > 2", must="allow")

    proof = prove(rule, all_verdicts(SPACE, boundary_of('@id("all") permit (principal, action, resource);')))

    assert not proof.holds
    assert proof.because is not None


def test_a_condition_that_holds_of_no_question_is_known_to_promise_nothing() -> None:
    rule = BoundaryProperty(id="p", because="b", when='hosted && level == "secret"', must="deny")

    proof = prove(rule, all_verdicts(SPACE, boundary_of('@id("all") permit (principal, action, resource);')))

    assert proof.holds
    assert proof.ever is False


def test_two_sets_that_are_compared_with_each_other_are_looked_at_together() -> None:
    text = '@id("p") permit (principal, action, resource) when { context.categories == context.jurisdictions };'
    (table,) = Tabulator("send", SPACE.axes["send"], boundary_of(text)).tables("one", HOME, LANES[0])

    assert ("categories", "jurisdictions") in [tuple(axis.name for axis in group.axes) for group in table.groups]


def test_nothing_is_claimed_of_more_questions_than_can_be_looked_at() -> None:
    names = ", ".join(f'"c{number}"' for number in range(20))

    with pytest.raises(SpaceTooLarge, match="21 names"):
        axes_of(SCHEMA.replace('"pii"', names))
