"""A prompt's label is the join over what is in it: span by span, turn by turn."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle import Bundle
from router.contract import LEVELS, Decision, Finding, ImagePart, Label, Message, RouteRequest, TextPart, ToolSpec
from router.decide import decide
from router.decide.spans import label_of
from router.labels import at_most, join
from router.state import KnownSpan, State

CARD = "4111"
PRIVATE = Label(level="restricted", categories=("payment",))


def scan(text: str, message: int) -> tuple[Finding, ...]:
    """A detector that knows one number."""
    if CARD not in text:
        return ()
    return (Finding(entity="CREDIT_CARD", category="payment", message=message, start=0, end=1, score=1, detector="t"),)


def said(role: Any, text: str, **fields: Any) -> Message:
    return Message(role=role, content=(TextPart(text=text),), **fields)


def plan(bundle: Bundle, *messages: Message, state: State | None = None, **fields: Any) -> Decision:
    request = RouteRequest(**{"org": "local", "messages": messages, "session": "s"} | fields)
    return decide(request, bundle, state or State(), scan=scan)


def reasons(decision: Decision) -> list[tuple[int | None, str]]:
    return [(span.message, span.because) for span in decision.spans]


def session(*known: tuple[int, Label], label: Label = PRIVATE, turns: int = 1) -> State:
    return State(
        session_label=label,
        session_turns=turns,
        known_spans=tuple(KnownSpan(message=index, label=worth) for index, worth in known),
    )


def test_each_part_above_public_is_shown_with_its_reason(starter: Bundle) -> None:
    decision = plan(
        starter,
        said("system", "Be brief"),
        said("user", f"My card is {CARD}"),
        said("tool", "a passage", label=Label(level="internal"), tool_call_id="1"),
        Message(role="user", content=(ImagePart(media_type="image/png", data="aGk="),)),
        client_tools=(ToolSpec(name="pay", description=f"pays with {CARD}"),),
        labels=Label(level="confidential"),
    )

    assert sorted(reasons(decision), key=str) == sorted(
        [(None, "declared"), (1, "found"), (2, "declared"), (3, "unread"), (-1, "found")], key=str
    )
    assert decision.label == PRIVATE


def test_a_tenants_label_is_declared_of_the_whole_request(starter: Bundle) -> None:
    decision = plan(starter, said("user", "Hello"), org="example-eu")

    assert [(span.message, span.label.jurisdictions, span.because) for span in decision.spans] == [
        (None, ("EU",), "declared")
    ]


def test_a_public_prompt_shows_no_parts(starter: Bundle) -> None:
    assert plan(starter, said("user", "Hello")).spans == ()


# ------------------------------------------------------------------ sessions

U1, A1 = said("user", "What is a card number?"), said("assistant", "A number on a card.")
U2, A2 = said("user", f"Mine is {CARD}"), said("assistant", "Thank you.")
U3 = said("user", "What is the capital of France?")
SYSTEM = said("system", "Be brief")
PUBLIC = Label()


def test_a_turn_that_is_left_out_no_longer_counts(starter: Bundle) -> None:
    decision = plan(starter, U1, A1, U3, state=session((0, PUBLIC), (1, PUBLIC), turns=2))

    assert decision.label == PUBLIC


def test_a_private_turn_that_is_still_there_counts(starter: Bundle) -> None:
    state = session((0, PUBLIC), (1, PUBLIC), (2, PRIVATE), (3, PRIVATE), turns=2)

    assert plan(starter, U1, A1, U2, A2, U3, state=state).label == PRIVATE


def test_the_answer_to_a_private_turn_is_as_private(starter: Bundle) -> None:
    decision = plan(starter, U1, A1, A2, U3, state=session((0, PUBLIC), (1, PUBLIC), (2, PRIVATE), turns=2))

    assert decision.label == PRIVATE
    assert reasons(decision) == [(2, "inherited")]


@pytest.mark.parametrize("role", ["assistant", "system"])
def test_a_summary_counts_as_all_that_it_may_retell(starter: Bundle, role: str) -> None:
    summary = said(role, "They talked about cards, and a number was given.")

    assert plan(starter, U1, A1, summary, U3, state=session((0, PUBLIC), (1, PUBLIC), turns=2)).label == PRIVATE


def test_a_summary_in_the_users_name_counts_too(starter: Bundle) -> None:
    summary = said("user", "So far: they talked about cards, and a number was given.")

    before = plan(starter, summary, A1, U3, state=session((1, PUBLIC), turns=2))
    after = plan(starter, U1, A1, summary, U3, state=session((0, PUBLIC), (1, PUBLIC), turns=2))

    assert before.label == after.label == PRIVATE


@pytest.mark.parametrize(
    ("messages", "known"), [((U3,), ()), ((SYSTEM, U3), ((0, PUBLIC),)), ((U3, said("assistant", "?"), U3), ())]
)
def test_a_prompt_without_a_known_turn_may_retell_any_of_them(
    starter: Bundle, messages: tuple[Message, ...], known: tuple[tuple[int, Label], ...]
) -> None:
    decision = plan(starter, *messages, state=session(*known))

    assert decision.label == PRIVATE
    assert reasons(decision) == [(None, "inherited")]


def test_a_tools_new_result_is_new(starter: Bundle) -> None:
    result = said("tool", "18 degrees", tool_call_id="1")

    assert plan(starter, U1, A1, result, state=session((0, PUBLIC), (1, PUBLIC))).label == PUBLIC


def test_a_session_nobody_can_be_asked_about_is_restricted(starter: Bundle) -> None:
    decision = plan(starter, U3, state=State(session_unknown=True))

    assert reasons(decision) == [(None, "unknown")]
    assert decision.label.level == "restricted"


# ------------------------------------------------------------------ the laws

labels = st.builds(
    Label,
    level=st.sampled_from(LEVELS),
    categories=st.lists(st.sampled_from(["pii", "health", "gossip"]), max_size=2).map(tuple),
    jurisdictions=st.lists(st.sampled_from(["EU", "US"]), max_size=2).map(tuple),
)
texts = st.sampled_from(["", "Hello", f"It is {CARD}", "So far: all is well"])
messages = st.builds(said, st.sampled_from(["system", "user", "assistant", "tool"]), texts, label=labels)
prompts = st.lists(messages, min_size=1, max_size=5).map(tuple)


@st.composite
def remembered(draw: st.DrawFn, prompt: tuple[Message, ...]) -> State:
    """A session that knows some of these messages, and held at least as much as they do."""
    known = draw(st.dictionaries(st.integers(0, len(prompt) - 1), labels, max_size=len(prompt)))
    return session(*known.items(), label=join(draw(labels), *known.values()), turns=draw(st.integers(0, 3)))


@given(data=st.data(), prompt=prompts, declared=labels)
def test_the_label_is_the_join_of_the_parts(starter: Bundle, data: st.DataObject, prompt: Any, declared: Label) -> None:
    decision = plan(starter, *prompt, state=data.draw(remembered(prompt)), labels=declared)

    assert decision.label == label_of(decision.spans)
    assert all(at_most(span.label, decision.label) for span in decision.spans)


@given(data=st.data(), prompt=prompts, less=labels, more=labels)
def test_a_declaration_never_lowers(
    starter: Bundle, data: st.DataObject, prompt: Any, less: Label, more: Label
) -> None:
    state = data.draw(remembered(prompt))

    undeclared = plan(starter, *prompt, state=state).label
    declared = plan(starter, *prompt, state=state, labels=less).label
    declared_more = plan(starter, *prompt, state=state, labels=join(less, more)).label

    assert at_most(undeclared, declared)
    assert at_most(less, declared)
    assert at_most(declared, declared_more)


@given(prompt=prompts, extra=messages)
def test_another_message_never_lowers(starter: Bundle, prompt: Any, extra: Message) -> None:
    assert at_most(plan(starter, *prompt).label, plan(starter, *prompt, extra).label)


@given(data=st.data(), prompt=prompts)
def test_what_a_message_is_known_to_hold_never_counts_for_less(
    starter: Bundle, data: st.DataObject, prompt: Any
) -> None:
    state = data.draw(remembered(prompt))

    label = plan(starter, *prompt, state=state).label

    assert at_most(plan(starter, *prompt).label, label)
    assert all(at_most(known.label, label) for known in state.known_spans if prompt[known.message].role != "system")


@given(data=st.data(), prompt=prompts)
def test_a_session_never_weighs_more_than_all_it_held(starter: Bundle, data: st.DataObject, prompt: Any) -> None:
    state = data.draw(remembered(prompt))
    alone = plan(starter, *prompt).label

    assert at_most(plan(starter, *prompt, state=state).label, label_of_all(starter, alone, state.session_label))


def label_of_all(bundle: Bundle, *parts: Label) -> Label:
    from router.decide.spans import raised

    return raised(join(*parts), bundle.tiers.levels)
