import re
from collections.abc import Callable
from pathlib import Path

import pytest

from router.boundary import read_policies
from router.bundle import Bundle
from router.bundle.load import Draft, load_draft
from router.contract import Decision
from router.decide import decide
from router.policy.overlay import shifts
from router.policy.prove import Report, prove_bundle
from router.state import State
from router.testing import ScriptedHeads
from tests.router.policy.requests import parse

pytestmark = pytest.mark.slow

Edited = Callable[..., Path]

PUBLIC_OR_INTERNAL = '[Level::"public", Level::"internal"].contains(context.level)'


@pytest.fixture
def draft(edited: Edited, heads: ScriptedHeads) -> Callable[..., Draft]:
    return lambda *edits, name="bundle": load_draft(edited(*edits, name=name), heads)


def prove(draft: Draft) -> Report:
    return prove_bundle(draft.bundle, draft.source, parse)


def test_every_promise_of_the_starter_holds_of_every_question(draft: Callable[..., Draft]) -> None:
    report = prove(draft())

    assert report.holds
    assert {one.proof.rule.id for one in report.proved} >= {"confidential-never-leaves", "home-is-always-open"}
    assert report.questions > 500_000
    assert not [idle for idle in report.idle if idle.severity == "warning"]


def test_a_broken_promise_comes_with_a_request_that_lane_decide_shows_it_by(draft: Callable[..., Draft]) -> None:
    broken = draft(
        ("boundary/lanes.cedar", f"unless {{ {PUBLIC_OR_INTERNAL} }}", "unless { true }"),
        ("boundary/lanes.cedar", f"{PUBLIC_OR_INTERNAL} &&", 'context.level != Level::"restricted" &&'),
    )

    (shown,) = [one for one in prove(broken).proved if not one.proof.holds]

    assert shown.proof.rule.id == "confidential-never-leaves"
    assert shown.witness is not None
    assert shown.witness.confirmed
    line = shown.witness.line
    decision = decide(parse(line), broken.bundle, State())
    assert line["model"] in [rung.lane for rung in decision.ladder]
    assert decision.label.level == "confidential"
    assert broken.bundle.lanes[line["model"]].is_hosted


def test_two_categories_together_are_not_overlooked(draft: Callable[..., Draft]) -> None:
    both = '(context.categories == [Category::"pii", Category::"legal"])'
    broken = draft(
        ("boundary/lanes.cedar", "context.categories.isEmpty()", f"(context.categories.isEmpty() || {both})"),
        (
            "boundary/lanes.cedar",
            "resource.cleared_for.containsAll(context.categories)",
            f"resource.cleared_for.containsAll(context.categories) || {both}",
        ),
    )

    (shown,) = [one for one in prove(broken).proved if not one.proof.holds]

    assert shown.proof.rule.id == "protected-data-never-leaves"
    assert shown.witness is not None
    assert shown.witness.line["labels"]["categories"] == ("legal", "pii")


def test_a_promise_that_keeps_a_lane_open_is_broken_by_a_request_it_is_closed_to(draft: Callable[..., Draft]) -> None:
    closed = draft(
        (
            "boundary/lanes.cedar",
            "when { !resource.hosted };",
            'when { !resource.hosted && context.level != Level::"restricted" };',
        )
    )

    shown = next(one for one in prove(closed).proved if one.proof.rule.id == "home-is-always-open")

    assert not shown.proof.holds
    assert shown.witness is not None
    assert shown.witness.confirmed
    assert decide(parse(shown.witness.line), closed.bundle, State()).ladder == ()


def test_nothing_holds_that_can_not_be_looked_at_whole(draft: Callable[..., Draft]) -> None:
    names = "".join(f'"own{number}", ' for number in range(12))
    large = draft(("boundary/schema.cedarschema", 'entity Category enum ["pii"', f'entity Category enum [{names}"pii"'))

    report = prove(large)

    assert not report.holds
    assert all("not proved" in (one.proof.because or "") for one in report.proved)


@pytest.mark.parametrize(
    ("policy", "kind", "severity"),
    [
        (
            'permit (principal, action == Action::"send", resource) when { resource.hosted && !resource.hosted };',
            "never-fires",
            "warning",
        ),
        (
            'permit (principal, action == Action::"send", resource) when { resource.hosted && context.risk_tier == RiskTier::"restricted" };',
            "contradicts",
            "warning",
        ),
        (
            'forbid (principal, action == Action::"send", resource) when { resource.hosted && context.level == Level::"restricted" };',
            "redundant",
            "note",
        ),
    ],
)
def test_a_rule_that_does_nothing_is_named(draft: Callable[..., Draft], policy: str, kind: str, severity: str) -> None:
    added = draft(
        ("boundary/lanes.cedar", '@id("residency")', f'@id("idle") @reason("r") {policy}\n\n@id("residency")')
    )

    found = [(idle.kind, idle.severity) for idle in prove(added).idle if idle.rule == "idle"]

    assert found == [(kind, severity)]


def test_a_tier_rule_that_no_request_makes_hold_is_named(draft: Callable[..., Draft]) -> None:
    dead = draft(("tiers.yaml", "when: size(regulated) > 0", 'when: mode == "chat" && mode == "batch"'))

    assert ("never-fires", "regulated-topic") in [(idle.kind, idle.rule) for idle in prove(dead).idle]


def test_a_promise_about_no_question_at_all_is_named(draft: Callable[..., Draft]) -> None:
    empty = draft(("boundary/properties.yaml", 'level in ["confidential", "restricted"]', 'level == "secret"'))

    report = prove(empty)

    assert report.holds
    assert ("promises-nothing", "confidential-never-leaves") in [(idle.kind, idle.rule) for idle in report.idle]


# ------------------------------------------------------------------ every mutant of the starter's policies


def policy_pieces(text: str) -> list[str]:
    """The file's policies, one by one."""
    return [piece + ";" for piece in re.sub(r"^//.*$", "", text, flags=re.MULTILINE).split(";\n") if piece.strip()]


def mutants() -> list[tuple[str, str]]:
    """Each policy left out, each of its clauses dropped, and each literal altered: a name for it, and the whole text."""
    text = Path("config/starter/boundary/lanes.cedar").read_text()
    pieces = policy_pieces(text)
    found: list[tuple[str, str]] = []
    for index, piece in enumerate(pieces):
        name = read_policies(piece)[0].id
        changed = [("left out", "")]
        changed += [
            (f"without its {match[1]}", piece.replace(match[0], ""))
            for match in re.finditer(r"\n(when|unless)\s*\{[^}]*\}", piece)
        ]
        swaps = (
            ('Level::"internal"', 'Level::"confidential"'),
            ('Level::"internal"', 'Level::"restricted"'),
            ('RiskTier::"restricted"', 'RiskTier::"high"'),
            ("!resource.hosted", "resource.hosted"),
            ("resource.hosted", "!resource.hosted"),
            ("&&", "||"),
            (".isEmpty()", '.contains(Category::"health")'),
            ("cleared_for.containsAll", "cleared_for.containsAny"),
            ("jurisdictions.containsAll", "jurisdictions.containsAny"),
            ("forbid", "permit"),
            ("permit", "forbid"),
        )
        changed += [(f"{old} is {new}", piece.replace(old, new, 1)) for old, new in swaps if old in piece]
        for what, mutant in changed:
            found.append((f"{name}: {what}", "\n".join([*pieces[:index], mutant, *pieces[index + 1 :]])))
    return found


MUTANTS = dict(mutants())


@pytest.mark.slow
@pytest.mark.exam
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_of_the_policies_that_lets_more_out_is_found_by_the_proof(
    name: str, edited: Edited, heads: ScriptedHeads, starter: Bundle
) -> None:
    folder = edited()
    (folder / "boundary" / "lanes.cedar").write_text(MUTANTS[name])

    draft = load_draft(folder, heads)

    opens = any(shift.opens for shift in shifts(starter, draft.bundle))
    broken = [one.proof.rule.id for one in prove(draft).proved if not one.proof.holds]
    assert not opens or broken


# ------------------------------------------------------------------ tools, redaction, egress: none

OUTSIDE = ("tools/refund_eligibility.yaml", "reaches_outside: false", "reaches_outside: true")


def test_a_tool_that_reaches_outside_is_held_to_the_same_promises(draft: Callable[..., Draft]) -> None:
    report = prove(draft(OUTSIDE))

    assert report.holds
    assert any("tool refund_eligibility" in map(str, exits.open) for exits in report.exits)


def test_protected_data_that_could_end_up_in_a_tool_outside_breaks_the_promise(draft: Callable[..., Draft]) -> None:
    opened = draft(
        OUTSIDE,
        ("boundary/tools.cedar", "when { !resource.reaches_outside };", "when { true };"),
        ("boundary/tools.cedar", "when { resource.reaches_outside }\nunless", "when { false }\nunless"),
    )

    broken = {one.proof.rule.id: one for one in prove(opened).proved if not one.proof.holds}

    assert "protected-data-never-leaves" in broken
    question = broken["protected-data-never-leaves"].as_json()["question"]
    assert question["tool"] == "refund_eligibility"
    assert question["categories"] != ()


def test_a_promise_about_what_was_redacted_is_shown_by_a_text_that_is_redacted(draft: Callable[..., Draft]) -> None:
    promise = (
        "\n  - id: no-mail-leaves-redacted\n    because: b\n    when: hosted && 'pii' in redacted\n    must: deny\n"
    )
    redacting = draft(
        ("lanes.yaml", "    context_tokens: 128000\n", "    redact: [pii]\n    context_tokens: 128000\n"),
        ("boundary/properties.yaml", "properties:\n", f"properties:{promise}"),
    )

    (shown,) = [one for one in prove(redacting).proved if not one.proof.holds]

    assert shown.witness is not None
    assert shown.proof.rule.id == "no-mail-leaves-redacted"


@pytest.mark.parametrize(
    ("edit", "declared"),
    [
        (("lanes.yaml", "egress: open", "egress: none"), "the bundle"),
        (
            ("tenants.yaml", "    tools: [ticket_lookup]", "    egress: none\n    tools: [ticket_lookup]"),
            "tenant example-eu",
        ),
        (("routes.yaml", "    lane: code\n", "    lane: code\n    egress: none\n"), "route code"),
    ],
)
def test_where_egress_is_none_no_decision_has_a_way_out(
    draft: Callable[..., Draft], edit: tuple[str, str, str], declared: str
) -> None:
    report = prove(draft(edit))

    assert report.holds
    assert report.egress is not None
    assert report.egress.declared == (declared,)
    assert report.egress.decisions > 0
    assert report.egress.as_json()["hosted_rungs"] == 0
    if declared == "the bundle":
        assert all(exits.open == () for exits in report.exits)
        assert any(exits.planned for exits in report.exits)


def test_a_tool_that_reaches_outside_is_no_way_out_where_egress_is_none(draft: Callable[..., Draft]) -> None:
    assert any(map(has_refund_tool, decisions(draft(OUTSIDE, name="open"))))

    closed = draft(OUTSIDE, ("lanes.yaml", "egress: open", "egress: none"), name="closed")

    assert not any(map(has_refund_tool, decisions(closed)))
    report = prove(closed)
    assert report.egress is not None
    assert report.egress.broken_by is None


def decisions(draft: Draft) -> list[Decision]:
    lines = [case.request for case in draft.source.cases["tests.yaml"].cases]
    return [decide(parse(line), draft.bundle, State()) for line in lines]


def has_refund_tool(decision: Decision) -> bool:
    return "refund_eligibility" in [tool.name for tool in decision.tools]


def test_a_bundle_that_declares_no_such_thing_says_nothing_of_it(draft: Callable[..., Draft]) -> None:
    assert prove(draft()).egress is None
