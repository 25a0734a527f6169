import pytest

from router.rules import Facts, RuleError, compile_rule


def test_a_condition_holds_or_does_not() -> None:
    rule = compile_rule('level in ["confidential", "restricted"] && !state_changing')

    assert rule.holds({"level": "restricted", "state_changing": False})
    assert not rule.holds({"level": "public", "state_changing": False})
    assert rule.variables == {"level", "state_changing"}


def test_facts_made_ready_once_serve_many_rules_and_can_be_added_to() -> None:
    facts = Facts.of({"input_tokens": 10})

    facts.add("risk_tier", "low")

    assert compile_rule("input_tokens > 9").holds(facts)
    assert compile_rule('risk_tier == "low"').holds(facts)


@pytest.mark.parametrize("source", ["level ==", "level == == 1", "", "a && "])
def test_bad_syntax_is_told_with_its_column(source: str) -> None:
    with pytest.raises(RuleError, match="column"):
        compile_rule(source)


def test_a_pattern_is_refused_because_it_would_be_compiled_at_every_request() -> None:
    with pytest.raises(RuleError, match="calls matches"):
        compile_rule('words.matches("(a+)+$")')


@pytest.mark.parametrize(
    ("source", "facts"),
    [
        ("level == 'x' && nobody", {"level": "x"}),
        ("difficulty > 0.5", {"difficulty": None}),
        ('metadata.team == "a"', {"metadata": {}}),
        ("input_tokens", {"input_tokens": 1}),
        ('level + "x"', {"level": "x"}),
        ("level > 1", {"level": "x"}),
    ],
)
def test_what_is_no_plain_yes_or_no_is_an_error_and_not_a_no(source: str, facts: dict[str, object]) -> None:
    with pytest.raises(RuleError):
        compile_rule(source).holds(facts)


def test_names_that_a_macro_introduces_are_not_variables() -> None:
    rule = compile_rule('regulated.exists(field, field == "health")')

    assert rule.variables == {"regulated"}
    assert rule.holds({"regulated": ["health"]})
