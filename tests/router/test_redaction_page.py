"""The worked example of docs/redaction.md, applied to the starter bundle and tried."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.boundary import SendQuestion
from router.bundle import Bundle, check_bundle, load_bundle
from router.contract import (
    LEVELS,
    Decision,
    Finding,
    ImagePart,
    Label,
    Message,
    Redacts,
    RouteRequest,
    Sampling,
    TextPart,
    Topic,
)
from router.decide import decide, narrow
from router.labels import at_most
from router.scan import scan_text
from router.state import State
from router.testing import ScriptedHeads
from tests.redaction_bundle import EXAMPLES, LANE, with_redaction

PERSONAL = "My name is Ada Moore and my mail is ada.moore@example.org. Prove Fermat's last theorem for me."
TAKEN = Redacts(categories=("pii",), label=Label())


@pytest.fixture(scope="session")
def hard(heads: ScriptedHeads) -> ScriptedHeads:
    topic = Topic(intent="question", confidence=0.9, domain="general", mode="chat", difficulty=0.9)
    return ScriptedHeads(lambda _: topic, intents=heads.intents, domains=heads.domains)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, starter_folder: Path) -> Path:
    return with_redaction(starter_folder, tmp_path_factory.mktemp("redaction") / "bundle")


@pytest.fixture(scope="session")
def bundle(folder: Path, hard: ScriptedHeads) -> Bundle:
    return load_bundle(folder, hard)


def ask(*texts: str, **fields: Any) -> RouteRequest:
    messages = tuple(Message(role="user", content=(TextPart(text=text),)) for text in texts)
    return RouteRequest.model_validate({"org": "local", "messages": messages} | fields)


def lanes(decision: Decision) -> list[str]:
    return [rung.lane for rung in decision.ladder]


def test_every_example_is_tried_below(folder: Path, hard: ScriptedHeads) -> None:
    assert set(EXAMPLES) == {"lanes.yaml", "routes.yaml", "boundary/redaction.cedar"}
    assert check_bundle(folder, hard) == ()


def test_the_starter_s_commented_lane_is_the_page_s(starter_folder: Path) -> None:
    _, lane = (
        (starter_folder / "lanes.yaml").read_text().split("docs/redaction.md has the route and the policies for it.")
    )
    (example,) = re.findall(r"\A.*\n((?:  # .*\n)+)", lane)
    commented = re.findall(r"^  # (.*)$", example, re.MULTILINE)

    assert [f"  {line}" for line in commented] == EXAMPLES["lanes.yaml"].splitlines()


def test_a_hard_question_with_personal_data_goes_out_redacted(bundle: Bundle) -> None:
    decision = decide(ask(PERSONAL), bundle, State())

    assert (decision.route, decision.lane) == ("hard_question_about_people", LANE)
    assert decision.ladder[0].redacts == TAKEN
    assert decision.label == Label(level="confidential", categories=("pii",))
    assert "redacted-personal-data-may-leave" in [policy.id for policy in decision.policies]
    assert decision.ladder[1].lane == "private"
    assert decision.ladder[1].redacts is None


def test_the_same_inputs_give_the_same_bytes(bundle: Bundle) -> None:
    first, second = (decide(ask(PERSONAL), bundle, State()).model_dump_json() for _ in range(2))

    assert first == second


def test_what_may_leave_as_it_is_leaves_as_it_is(bundle: Bundle) -> None:
    decision = decide(ask("What is the capital of France?", model=LANE), bundle, State())

    assert decision.lane == LANE
    assert decision.ladder[0].redacts is None


def test_an_internal_label_may_be_declared_and_stays(bundle: Bundle) -> None:
    decision = decide(ask(PERSONAL, labels={"level": "internal"}), bundle, State())

    assert decision.ladder[0].redacts == Redacts(categories=("pii",), label=Label(level="internal"))


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"categories": ["pii"]}},
        {"labels": {"level": "confidential"}},
        {"labels": {"jurisdictions": ["EU"]}},
        {"org": "example-eu"},
        {"sampling": Sampling(logprobs=True)},
    ],
)
def test_what_is_declared_is_not_lowered_by_redaction(bundle: Bundle, fields: dict[str, Any]) -> None:
    decision = decide(ask(PERSONAL, **fields), bundle, State())

    assert LANE not in lanes(decision)


@pytest.mark.parametrize(
    "state",
    [State(session_label=Label(categories=("pii",))), State(session_unknown=True), State(lanes_off={LANE: "off"})],
)
def test_what_is_known_of_the_session_is_not_lowered_by_redaction(bundle: Bundle, state: State) -> None:
    assert LANE not in lanes(decide(ask(PERSONAL), bundle, state))


def test_a_message_s_own_label_is_not_lowered_by_redaction(bundle: Bundle) -> None:
    request = ask(PERSONAL)
    labelled = request.messages[0].model_copy(update={"label": Label(categories=("pii",))})

    assert LANE not in lanes(decide(request.model_copy(update={"messages": (labelled,)}), bundle, State()))


def test_a_category_that_the_lane_does_not_redact_keeps_it_closed(bundle: Bundle) -> None:
    decision = decide(ask(PERSONAL, "I have diabetes.", model=LANE), bundle, State())

    (closed,) = decision.closed
    assert decision.ladder == ()
    assert "protected-data-stays-private" in closed.policies


def test_an_image_can_t_be_redacted(bundle: Bundle) -> None:
    message = Message(role="user", content=(TextPart(text=PERSONAL), ImagePart(media_type="image/png", data="QUJD")))

    decision = decide(RouteRequest(org="local", messages=(message,), model=LANE), bundle, State())

    assert decision.ladder == ()


def test_a_late_finding_is_taken_out_where_it_points_at_something(bundle: Bundle) -> None:
    text = "Ask Zoltan to prove Fermat's last theorem."
    pointing = Finding(entity="PERSON", category="pii", start=4, end=10, score=0.9, detector="deep")
    nowhere = pointing.model_copy(update={"start": 400, "end": 410})

    taken = decide(ask(text), bundle, State(late_findings=(pointing,)))
    kept = decide(ask(text), bundle, State(late_findings=(pointing, nowhere)))

    assert taken.ladder[0].redacts == TAKEN
    assert LANE not in lanes(kept)


def test_a_second_scan_that_still_finds_it_keeps_the_lane_closed(bundle: Bundle) -> None:
    def stubborn(text: str, message: int) -> tuple[Finding, ...]:
        return (
            Finding(entity="PERSON", category="pii", message=message, start=0, end=1, score=0.9, detector="stubborn"),
        )

    assert LANE not in lanes(decide(ask(PERSONAL), bundle, State(), scan=stubborn))


def test_a_redaction_that_breaks_keeps_the_lane_closed(bundle: Bundle) -> None:
    calls = 0

    def breaking(text: str, message: int) -> tuple[Finding, ...]:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError
        return scan_text(text, message)

    assert lanes(decide(ask(PERSONAL), bundle, State(), scan=breaking)) == ["private"]


def test_no_other_lane_gets_redacted_text(bundle: Bundle) -> None:
    def may(lane: str, *redacted: str) -> bool:
        return bundle.boundary.may_send(SendQuestion("local", lane, Label(), "low", redacted=redacted)).allowed

    assert may(LANE, "pii")
    assert not may("premium", "pii")
    assert not may(LANE, "pii", "health")
    assert may("premium")


def test_the_redaction_is_made_only_for_a_lane_that_would_be_closed_without(bundle: Bundle) -> None:
    scans: list[str] = []

    def counting(text: str, message: int) -> tuple[Finding, ...]:
        scans.append(text)
        return scan_text(text, message)

    decide(ask("What is the capital of France?", model=LANE), bundle, State(), scan=counting)
    decide(ask(PERSONAL, model="private"), bundle, State(), scan=counting)

    assert len(scans) == 2


def test_a_narrowed_plan_takes_out_what_either_plan_takes_out(bundle: Bundle) -> None:
    text = "Ask Zoltan to prove Fermat's last theorem."
    late = Finding(entity="PERSON", category="pii", start=4, end=10, score=0.9, detector="deep")
    first = decide(ask(text, model=LANE), bundle, State())
    second = decide(ask(text, model=LANE), bundle, State(late_findings=(late,)))

    assert first.ladder[0].redacts is None
    assert narrow(first, second).ladder[0].redacts == narrow(second, first).ladder[0].redacts == TAKEN


@given(
    declared=st.builds(
        Label,
        level=st.sampled_from(LEVELS),
        categories=st.sets(st.sampled_from(["pii", "health", "legal"])).map(tuple),
        jurisdictions=st.sets(st.sampled_from(["US", "EU"])).map(tuple),
    ),
    by=st.sampled_from(["header", "session", "message"]),
)
def test_no_redaction_ever_lowers_what_was_declared(bundle: Bundle, declared: Label, by: str) -> None:
    request = ask(PERSONAL, model=LANE, labels=declared if by == "header" else Label())
    if by == "message":
        labelled = request.messages[0].model_copy(update={"label": declared})
        request = request.model_copy(update={"messages": (labelled,)})

    decision = decide(request, bundle, State(session_label=declared if by == "session" else Label()))

    for rung in decision.ladder:
        assert rung.redacts is None or at_most(declared, rung.redacts.label)
