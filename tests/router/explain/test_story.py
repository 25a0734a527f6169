"""Golden stories: what a reader of `lane explain` sees for each kind of record."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from router.contract import (
    ARGUMENTS_SAID,
    Accepted,
    ApprovalAsked,
    ApprovalSettled,
    AttemptEnded,
    AttemptStarted,
    BudgetSettled,
    Channel,
    Checked,
    ClosedRung,
    ContextUsed,
    Decided,
    Decision,
    Egress,
    Escalated,
    EscalationExpired,
    Evidence,
    Finding,
    Finished,
    Label,
    PersonAnswered,
    PolicyFired,
    Redacted,
    Released,
    Resumed,
    Retrieved,
    Rung,
    Sampling,
    Skipped,
    ToolCalled,
    Topic,
    Validated,
    Waited,
)
from router.explain import explain, explain_line

HASH = "ab" * 32
TRACE = "0123456789abcdef0123456789abcdef"
SMALL = "smollm2-135m-instruct"
LARGE = "gpt-5"
AT = 1_795_388_400.0
KEPT_IN = ClosedRung(
    lane="premium", model=LARGE, because="Personal data stays in the building.", policies=("pii-stays",)
)
FORBIDS = PolicyFired(id="pii-stays", effect="forbid", because="Personal data stays in the building.")
ROUTE = PolicyFired(id="general", effect="route", because="No narrower route holds.")

LADDER = (
    Rung(lane="fast_small", model=SMALL, on=("start",)),
    Rung(lane="private", model=SMALL, on=("timeout",)),
    Rung(lane="premium", model=LARGE, on=("timeout",)),
)


def accepted(
    model: str = "auto", org: str | None = "acme", user: str | None = "u-17", channel: Channel = "web"
) -> Accepted:
    return Accepted(
        org=org,
        user=user,
        channel=channel,
        requested_model=model,
        request_sha256=HASH,
        message_count=1,
        character_count=1213,
    )


def topic(**changes: Any) -> Topic:
    fields = {"intent": "general_question", "confidence": 0.9, "domain": "general", "mode": "chat"}
    return Topic.model_validate(fields | changes)


def decided(because: str = "request", **changes: Any) -> Decided:
    fields: dict[str, Any] = {
        "route": "general",
        "risk_tier": "low",
        "topic": topic(),
        "label": Label(level="internal"),
        "lane": "fast_small",
        "model": SMALL,
        "sampling": Sampling(),
        "ladder": LADDER[:2],
        "policies": (ROUTE,),
        "bundle_hash": HASH,
        "classifier": "heads-1",
    }
    return Decided(decision=Decision.model_validate(fields | changes), because=because, decide_microseconds=412)


def attempt(number: int, lane: str, ended: str, **changes: Any) -> AttemptEnded:
    fields: dict[str, Any] = {"attempt": number, "lane": lane, "model": SMALL, "ended": ended, "seconds": 1.24}
    return AttemptEnded.model_validate(fields | changes)


def finished(ended: str, status: int = 200, **changes: Any) -> Finished:
    return Finished.model_validate({"ended": ended, "status": status, "seconds": 1.3} | changes)


def record(**parts: Any) -> Evidence:
    return Evidence.model_validate({"trace_id": TRACE, "accepted": accepted(), "started_at": AT} | parts)


def private_answer() -> Evidence:
    plan = decided(
        route="personal_data",
        risk_tier="elevated",
        topic=topic(intent="account_help", domain="support"),
        label=Label(level="confidential", categories=("pii", "payment"), jurisdictions=("EU",)),
        findings=(
            Finding(entity="EMAIL_ADDRESS", category="pii", start=0, end=9, score=1, detector="email"),
            Finding(entity="EMAIL_ADDRESS", category="pii", start=20, end=29, score=1, detector="email"),
            Finding(entity="IBAN", category="payment", start=40, end=62, score=1, detector="iban"),
        ),
        lane="private",
        ladder=(
            Rung(lane="private", model=SMALL, on=("start",)),
            Rung(lane="fast_small", model=SMALL, on=("timeout",)),
        ),
        closed=(KEPT_IN,),
        policies=(
            PolicyFired(id="tier-personal", effect="tier", because="It holds personal data."),
            PolicyFired(id="personal_data", effect="route", because="Personal data is answered on our own machines."),
            FORBIDS,
        ),
    )
    return record(
        decisions=(plan,),
        attempts=(attempt(1, "private", "stop", input_tokens=41, output_tokens=1031),),
        finished=finished("answered", lane="private", model=SMALL),
    )


def refused_for_approval() -> Evidence:
    plan = decided(
        action="approval",
        message="A refund needs a person's approval. Ask your team lead.",
        route="refund_needs_approval",
        risk_tier="high",
        topic=topic(intent="refund_request", domain="support", state_changing=True),
        lane=None,
        model=None,
        ladder=(),
        policies=(
            PolicyFired(id="tier-state", effect="tier", because="It asks for state to change."),
            PolicyFired(
                id="refund_needs_approval", effect="route", because="Money moves only with a person's approval."
            ),
        ),
    )
    return record(decisions=(plan,), finished=finished("approval"))


def pinned_hosted_denied() -> Evidence:
    plan = decided(
        label=Label(level="confidential", categories=("health",)),
        topic=topic(intent="symptoms", domain="health", regulated=("health",)),
        risk_tier="high",
        findings=(Finding(entity="condition", category="health", start=0, end=4, score=0.8, detector="lexicon"),),
        lane=None,
        model=None,
        ladder=(),
        closed=(KEPT_IN,),
        policies=(ROUTE, FORBIDS),
    )
    return record(
        accepted=accepted(model="premium", user=None, channel="api"),
        decisions=(plan,),
        finished=finished("denied", 403, because="no lane may answer this request"),
    )


def fallback_after_timeout() -> Evidence:
    return record(
        decisions=(
            decided(ladder=LADDER),
            decided("before the next rung", ladder=LADDER[:2]),
        ),
        attempts=(
            attempt(1, "fast_small", "timeout", because="no first token within 30 s", seconds=30.0),
            attempt(2, "private", "stop", input_tokens=12, output_tokens=1),
        ),
        skipped=(Skipped(stage="retrieval", name="help_center", because="No index of that name is loaded."),),
        validations=(Validated(attempt=2, contract="SupportAnswerV3", valid=True),),
        finished=finished("answered", lane="private", model=SMALL, seconds=31.4),
    )


def hosted_answer() -> Evidence:
    plan = decided(
        label=Label(),
        topic=topic(out_of_scope=True),
        lane="premium",
        model=LARGE,
        ladder=(Rung(lane="premium", model=LARGE, on=("start",)),),
        policies=(
            ROUTE,
            PolicyFired(id="public-may-leave", effect="permit", because="Public text of low risk may leave."),
        ),
    )
    return record(
        decisions=(plan,),
        context=(ContextUsed(chunk_id="faq-1", chunk_sha256=HASH), ContextUsed(chunk_id="faq-2", chunk_sha256=HASH)),
        tool_calls=(ToolCalled(name="ticket_lookup", arguments_sha256=HASH, result_sha256=HASH, ended="It answered."),),
        attempts=(attempt(1, "premium", "stop", model=LARGE, input_tokens=300, output_tokens=90, cost_usd=0.00214),),
        egress=(
            Egress(
                attempt=1,
                lane="premium",
                provider="openai",
                body_sha256=HASH,
                body_bytes=1893,
                permit_nonce="n",
                ledger_entry="17",
                allowed=True,
                because="the door let it out",
            ),
        ),
        finished=finished("answered", lane="premium", model=LARGE),
    )


def refund_policy() -> Evidence:
    """The support route from question to answer: looked up, looked after, answered by the second lane."""
    plan = decided(
        route="support_refund_policy_low_risk",
        label=Label(),
        topic=topic(intent="refund_policy", domain="support"),
        ladder=LADDER,
        policies=(
            PolicyFired(
                id="support_refund_policy_low_risk",
                effect="route",
                because="a question about the refund policy, answered from the help centre",
            ),
            PolicyFired(
                id="profile-low", effect="profile", because="at low risk: it is checked for others-data, refund-granted"
            ),
        ),
    )
    passages = [
        ContextUsed(
            chunk_id=f"c{n}", chunk_sha256=HASH, index="help_center", doc=doc, score=0.9, label=Label(level=level)
        )
        for n, (doc, level) in enumerate(
            [("refunds.md", "public"), ("refunds.md", "internal"), ("shipping.md", "public")]
        )
    ]
    return record(
        decisions=(plan,),
        retrievals=(Retrieved(index="help_center", depth="deep", chunks=30, used=3, seconds=0.21),),
        context=tuple(passages),
        tool_calls=(
            ToolCalled(
                name="ticket_lookup",
                arguments_sha256=HASH,
                result_sha256=HASH,
                ended="ok",
                source="python",
                seconds=0.4,
            ),
            ToolCalled(
                name="refund_eligibility", arguments_sha256=HASH, result_sha256=None, ended="tool_timeout", seconds=5.0
            ),
        ),
        waits=(Waited(lane="premium", seconds=1.5, because="the provider asked for it"),),
        attempts=(
            attempt(1, "fast_small", "timeout", because="no first token within 60 s", seconds=60.0),
            attempt(2, "premium", "schema_failure", model=LARGE, input_tokens=900, output_tokens=90, cost_usd=0.0025),
            attempt(3, "premium", "stop", model=LARGE, input_tokens=1000, output_tokens=95, cost_usd=0.0028),
        ),
        validations=(
            Validated(attempt=2, contract="SupportAnswerV3", valid=False, errors=("at /citations: required",)),
            Validated(attempt=3, contract="tool_arguments", valid=True),
            Validated(attempt=3, contract="SupportAnswerV3", valid=True, repair=True),
        ),
        checks=(Checked(attempt=3, check="others-data, refund-granted", outcome="passed"),),
        egress=(
            Egress(
                attempt=2,
                lane="premium",
                provider="openai",
                body_sha256=HASH,
                body_bytes=4210,
                permit_nonce="n",
                ledger_entry="18",
                allowed=True,
                because="the door let it out",
            ),
        ),
        spent=(
            BudgetSettled(
                org="acme", cost_usd=0.0025, input_tokens=900, output_tokens=90, tool_calls=2, context_chunks=3
            ),
        ),
        finished=finished("answered", lane="premium", model=LARGE, seconds=64.2),
    )


def refund_by_a_person() -> Evidence:
    """A refund: approved, called, its answer withheld, put before a person and edited."""
    return record(
        decisions=(
            decided(risk_tier="high", topic=topic(intent="refund_request", domain="support", state_changing=True)),
        ),
        approvals=(
            ApprovalAsked(approval="apr-1", tool="issue_refund", arguments_sha256=HASH, expires_at=AT + 900),
            ApprovalSettled(approval="apr-1", outcome="granted", by="acme/lead", because="The goods came back."),
            ApprovalSettled(approval="apr-1", outcome="used"),
        ),
        tool_calls=(
            ToolCalled(
                name="issue_refund",
                arguments_sha256=HASH,
                result_sha256=HASH,
                ended="ok",
                side_effect="irreversible",
                approval="apr-1",
                seconds=0.8,
            ),
        ),
        attempts=(attempt(1, "fast_small", "stop", input_tokens=50, output_tokens=30),),
        resumptions=(Resumed(attempt=1, lane="fast_small", characters=812, partial_sha256=HASH),),
        checks=(
            Checked(attempt=1, check="disclaimer", outcome="amended", because="The disclaimer was added."),
            Checked(attempt=1, check="guarantees", outcome="withheld", because="it says what it may not say"),
        ),
        escalations=(
            Escalated(ticket="t-9", queue="support", because="A check kept the answer back."),
            PersonAnswered(ticket="t-9", by="acme/agent-4", outcome="edited", answer_sha256=HASH),
        ),
        finished=finished("escalated", 202),
    )


def cancelled() -> Evidence:
    return record(
        decisions=(decided(),),
        attempts=(attempt(1, "fast_small", "cancelled", output_tokens=None),),
        finished=finished("cancelled", 499),
    )


def bad_request() -> Evidence:
    return record(
        accepted=None, finished=finished("bad_request", 400, because="messages[0].role: must be a string", seconds=0.01)
    )


def unfinished() -> Evidence:
    return record(
        decisions=(decided(),),
        unfinished_attempts=(AttemptStarted(attempt=1, lane="fast_small", model=SMALL, on="start"),),
    )


def test_a_private_answer() -> None:
    assert explain(private_answer()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “account help” in the domain “support”.
It contained email address ×2 (personal data) and IBAN (payment data).
It was treated as confidential, holding payment data and personal data, under the law of EU, at elevated risk, because it holds personal data (`tier-personal`).
Route `personal_data` applied, because personal data is answered on our own machines.
It went to private (smollm2-135m-instruct), which answered after 1.2 s, reading 41 tokens and writing 1,031.
It did not go to premium (gpt-5), by `pii-stays`: personal data stays in the building.
Ready in case of failure, and not needed: fast_small.
The caller got the answer after 1.3 s (HTTP 200).
Nothing left the building.\
""")
    assert explain_line(private_answer()) == snapshot(
        "acme (user u-17) asked; found email address ×2 (personal data) and IBAN (payment data); elevated risk, confidential, holding payment data and personal data, under the law of EU; route `personal_data`, because personal data is answered on our own machines; answered by private (smollm2-135m-instruct) in 1.3 s; not to premium, by `pii-stays`; nothing left the building."
    )


def test_an_action_that_waits_for_a_persons_approval() -> None:
    assert explain(refused_for_approval()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “refund request” in the domain “support”, and as asking for something to be changed.
No sensitive data was found in it.
It was treated as internal, at high risk, because it asks for state to change (`tier-state`).
Route `refund_needs_approval` applied, because money moves only with a person's approval.
No model was asked; the caller was told: “A refund needs a person's approval. Ask your team lead.”
The request was held for a person's approval after 1.3 s (HTTP 200).
Nothing left the building.\
""")
    assert explain_line(refused_for_approval()) == snapshot(
        "acme (user u-17) asked; nothing sensitive found; high risk, internal; route `refund_needs_approval`, because money moves only with a person's approval; a person must approve it first; nothing left the building."
    )


def test_a_pinned_hosted_lane_that_policy_closes() -> None:
    assert explain(pinned_hosted_denied()) == snapshot("""\
acme asked on 22 November 2026 at 23:00:00 UTC over the API channel (1 message, 1,213 characters) and asked for `premium` by name.
It was read as “symptoms” in the domain “health”, touching on health data as a subject.
It contained condition (health data).
It was treated as confidential, holding health data, at high risk.
Route `general` applied, because no narrower route holds.
It did not go to premium (gpt-5), by `pii-stays`: personal data stays in the building.
The request was denied after 1.3 s (HTTP 403), because no lane may answer this request.
Nothing left the building.\
""")
    assert explain_line(pinned_hosted_denied()) == snapshot(
        "acme asked; found condition (health data); high risk, confidential, holding health data; route `general`, because no narrower route holds; no lane may answer; not to premium, by `pii-stays`; nothing left the building."
    )


def test_a_fallback_after_a_timeout() -> None:
    assert explain(fallback_after_timeout()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “general question” in the domain “general”.
No sensitive data was found in it.
It was treated as internal, at low risk.
Route `general` applied, because no narrower route holds.
Retrieval from help_center was planned and left out: no index of that name is loaded.
It went to fast_small (smollm2-135m-instruct), which did not answer in time (no first token within 30 s) after 30.0 s.
Then it went to private (smollm2-135m-instruct), which answered after 1.2 s, reading 12 tokens and writing 1.
The plan was checked again on the way (before the next rung): from then on premium was closed.
The answer of attempt 2 was held against the contract SupportAnswerV3 and kept to it.
The caller got the answer after 31.4 s (HTTP 200).
No send out of the building is on record.\
""")
    assert explain_line(fallback_after_timeout()) == snapshot(
        "acme (user u-17) asked; nothing sensitive found; low risk, internal; route `general`, because no narrower route holds; answered by private (smollm2-135m-instruct) in 31.4 s, after fast_small did not answer in time; no send out of the building is on record."
    )


def test_a_hosted_answer_says_what_left_the_building() -> None:
    assert explain(hosted_answer()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “general question” in the domain “general”, though its subject is none that the router was trained on.
No sensitive data was found in it.
It was treated as public, at low risk.
Route `general` applied, because no narrower route holds.
Policy allowed this: public text of low risk may leave (`public-may-leave`).
The answer could draw on 2 stored passages.
The tool ticket_lookup was called: it answered.
It went to premium (gpt-5), which answered after 1.2 s, reading 300 tokens and writing 90, for $0.0021.
The caller got the answer after 1.3 s (HTTP 200).
1,893 bytes left the building to openai by lane premium (ledger entry 17).\
""")
    assert explain_line(hosted_answer()) == snapshot(
        "acme (user u-17) asked; nothing sensitive found; low risk, public; route `general`, because no narrower route holds; 2 passages drawn on; ticket_lookup called; answered by premium (gpt-5) in 1.3 s; 1,893 bytes left the building to openai by lane premium (ledger entry 17)."
    )


def test_nobody_answered_an_escalation() -> None:
    left = record(
        escalations=(
            Escalated(ticket="t-9", queue="support", because="A check kept the answer back."),
            EscalationExpired(ticket="t-9"),
        ),
        finished=finished("escalated", 202),
    )

    assert "Nobody answered ticket t-9 before its time was over.\n" in explain(left)
    assert "; ticket t-9; answered by nobody in time;" in explain_line(left)


def test_the_support_route_is_told_from_question_to_answer() -> None:
    assert explain(refund_policy()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “refund policy” in the domain “support”.
No sensitive data was found in it.
It was treated as public, at low risk.
Route `support_refund_policy_low_risk` applied, because a question about the refund policy, answered from the help centre.
Demanded at low risk: it is checked for others-data, refund-granted (`profile-low`).
It looked thoroughly in help_center for context: 30 passages came up, 3 of them went into the prompt (0.2 s).
The answer could draw on 3 stored passages of refunds.md and shipping.md, the most sensitive of them internal.
The tool ticket_lookup was called: it answered, in 0.4 s.
The tool refund_eligibility was called: it ended with tool timeout, in 5.0 s.
It went to fast_small (smollm2-135m-instruct), which did not answer in time (no first token within 60 s) after 60.0 s.
Then it went to premium (gpt-5), which gave an answer of the wrong form after 1.2 s, reading 900 tokens and writing 90, for $0.0025.
Then it went to premium (gpt-5), which answered after 1.2 s, reading 1,000 tokens and writing 95, for $0.0028.
Ready in case of failure, and not needed: private.
It waited 1.5 s for premium: the provider asked for it.
The answer of attempt 2 was held against the contract SupportAnswerV3 and broke it in 1 place.
The answer of attempt 3 called tools, whose arguments were held against their schemas: all kept to them.
The answer of attempt 3, asked for once more with what was wrong, was held against the contract SupportAnswerV3 and kept to it.
Before it went out, the answer of attempt 3 was checked for others-data and refund-granted, and passed.
Of acme's budget for the day it took 990 tokens, 2 tool calls, 3 passages and $0.0025.
The caller got the answer after 64.2 s (HTTP 200).
4,210 bytes left the building to openai by lane premium (ledger entry 18).\
""")
    assert explain_line(refund_policy()) == snapshot(
        "acme (user u-17) asked; nothing sensitive found; low risk, public; route `support_refund_policy_low_risk`, because a question about the refund policy, answered from the help centre; 3 passages drawn on; ticket_lookup and refund_eligibility called; answered by premium (gpt-5) in 64.2 s, after fast_small did not answer in time, after premium gave an answer of the wrong form; contract broken 1 time; 4,210 bytes left the building to openai by lane premium (ledger entry 18)."
    )


def test_approvals_withheld_answers_and_people_are_told() -> None:
    assert explain(refund_by_a_person()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “refund request” in the domain “support”, and as asking for something to be changed.
No sensitive data was found in it.
It was treated as internal, at high risk.
Route `general` applied, because no narrower route holds.
A person's approval was asked for calling issue_refund with exactly these arguments (approval apr-1, open until 23:15:00 UTC).
Approval apr-1 was granted by acme/lead: the goods came back.
Approval apr-1 was used, and holds no longer.
The tool issue_refund, which does what can't be undone, was called under approval apr-1: it answered, in 0.8 s.
It went to fast_small (smollm2-135m-instruct), which answered after 1.2 s, reading 50 tokens and writing 30.
The answer broke off after 812 characters; attempt 1, on fast_small, went on from there.
The answer of attempt 1 was added to (disclaimer): the disclaimer was added.
The answer of attempt 1 was kept back by the check `guarantees`: it says what it may not say.
It was put before a person, in the queue support under ticket t-9: a check kept the answer back.
acme/agent-4 edited the answer, and let it go out (ticket t-9).
The request was put before a person after 1.3 s (HTTP 202).
Nothing left the building.\
""")
    assert explain_line(refund_by_a_person()) == snapshot(
        "acme (user u-17) asked; nothing sensitive found; high risk, internal; route `general`, because no narrower route holds; issue_refund called; approval granted; put before a person; amended by `disclaimer`; withheld by `guarantees`; ticket t-9; edited by acme/agent-4; nothing left the building."
    )


def test_a_redaction_is_told_by_kinds_and_numbers() -> None:
    taken = Redacted(
        attempt=1, lane="premium", categories=("pii",), entities={"PERSON": 2, "EMAIL_ADDRESS": 1}, label=Label()
    )

    told = explain(record(decisions=(decided(),), redactions=(taken,), finished=finished("answered")))

    sentence = "Before it was sent to premium, placeholders took the place of person ×2 and email address; the values were put back into the answer."
    assert sentence in told


def test_what_was_waited_for_mended_looked_at_and_gone_on_with_is_told() -> None:
    told = explain(
        record(
            waits=(Waited(lane="premium", seconds=3.0, because="The provider answered 429."),),
            validations=(Validated(attempt=2, contract="Person", valid=True, repair=True),),
            checks=(
                Checked(attempt=1, check="no-promise", outcome="withheld", because="It promises: nobody may."),
                Checked(attempt=2, check="no-promise, leak", outcome="passed"),
            ),
            resumptions=(Resumed(attempt=3, lane="private", characters=21, partial_sha256=HASH),),
        )
    )

    assert [
        line for line in told.splitlines() if line.startswith(("It waited", "The answer", "Before it"))
    ] == snapshot(
        [
            "It waited 3.0 s for premium: the provider answered 429.",
            "The answer broke off after 21 characters; attempt 3, on private, went on from there.",
            "The answer of attempt 2, asked for once more with what was wrong, was held against the contract Person and kept to it.",
            "The answer of attempt 1 was kept back by the check `no-promise`: it promises: nobody may.",
            "Before it went out, the answer of attempt 2 was checked for no-promise and leak, and passed.",
        ]
    )


def test_when_the_first_of_the_answer_went_out_is_told_with_its_rule() -> None:
    window = Released(
        attempt=1,
        lane="private",
        risk_tier="high",
        release="window",
        window_tokens=32,
        streamed=True,
        lane_ms=210,
        first_content_ms=1890,
    )
    hold = window.model_copy(update={"release": "hold", "window_tokens": None})
    whole = hold.model_copy(update={"streamed": False})

    told = [
        next(line for line in explain(record(releases=(one,))).splitlines() if "first token" in line)
        for one in (window, hold, whole)
    ]

    assert told == snapshot(
        [
            "The lane's first token came after 0.2 s, and the first of the answer went out 1.7 s later: the rule was `window`, of 32 tokens.",
            "The lane's first token came after 0.2 s, and the first of the answer went out 1.7 s later: the rule was `hold`.",
            "The lane's first token came after 0.2 s, and the first of the answer went out 1.7 s later: the caller wanted it whole.",
        ]
    )


def test_a_caller_who_went_away() -> None:
    assert explain(cancelled()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “general question” in the domain “general”.
No sensitive data was found in it.
It was treated as internal, at low risk.
Route `general` applied, because no narrower route holds.
It went to fast_small (smollm2-135m-instruct), which was stopped when the caller went away after 1.2 s.
The caller went away after 1.3 s (HTTP 499).
No send out of the building is on record.\
""")
    assert explain_line(cancelled()) == snapshot(
        "acme (user u-17) asked; nothing sensitive found; low risk, internal; route `general`, because no narrower route holds; the caller went away after 1.3 s; no send out of the building is on record."
    )


def test_a_request_that_was_at_fault() -> None:
    assert explain(bad_request()) == snapshot("""\
An unknown caller asked on 22 November 2026 at 23:00:00 UTC.
The request was turned away as faulty after less than 0.1 s (HTTP 400), because messages[0].role: must be a string.
Nothing left the building.\
""")
    assert explain_line(bad_request()) == snapshot(
        "An unknown caller asked; the request is at fault: messages[0].role: must be a string; nothing left the building."
    )


def test_a_record_without_an_end() -> None:
    assert explain(unfinished()) == snapshot("""\
acme (user u-17) asked on 22 November 2026 at 23:00:00 UTC over the web channel (1 message, 1,213 characters) and left the choice of the model to the router.
It was read as “general question” in the domain “general”.
No sensitive data was found in it.
It was treated as internal, at low risk.
Route `general` applied, because no narrower route holds.
It went to fast_small (smollm2-135m-instruct); how that ended is not on record.
Its end is not on record: it is still running, or what ran it was killed.
No send out of the building is on record.\
""")
    assert explain_line(unfinished()) == snapshot(
        "acme (user u-17) asked; nothing sensitive found; low risk, internal; route `general`, because no narrower route holds; end not on record; no send out of the building is on record."
    )


def test_nothing_left_is_claimed_only_where_every_attempt_reported_what_it_sent() -> None:
    assert "Nothing left the building" in explain(private_answer())
    for unsure in (cancelled(), unfinished(), fallback_after_timeout()):
        assert "othing left the building" not in explain(unsure) + explain_line(unsure)


def test_a_name_that_the_caller_chose_cannot_break_the_line() -> None:
    hostile = record(accepted=accepted(model="x\n\x1b[2J", user="a\nNothing left the building."))

    assert "\x1b" not in explain(hostile)
    assert "\n" not in explain_line(hostile)
    assert not any(line.startswith("Nothing") for line in explain(hostile).splitlines())


@given(
    ended=st.sampled_from(
        ["answered", "decided", "refused", "approval", "clarify", "denied", "failed", "cancelled", "bad_request"]
    ),
    attempts=st.lists(
        st.tuples(
            st.sampled_from(["stop", "length", "timeout", "connection", "cancelled", "context_length_exceeded"]),
            st.floats(0, 1e4),
        ),
        max_size=3,
    ),
)
def test_every_record_has_a_story_on_one_line_and_on_many(ended: str, attempts: list[tuple[str, float]]) -> None:
    ends = tuple(attempt(number, "private", end, seconds=took) for number, (end, took) in enumerate(attempts, start=1))

    story = record(decisions=(decided(),), attempts=ends, finished=finished(ended))

    assert explain(story).count("It went to private") == min(1, len(ends))
    assert explain(story).count("went to private") == len(ends)
    assert explain_line(story).endswith(".")


def test_it_tells_what_a_model_read_out_of_the_request_and_whether_it_stood_there() -> None:
    read = attempt(1, "fast_small", "stop", output_tokens=9, arguments_of="ticket_lookup")
    story = explain(
        record(
            decisions=(decided(),),
            tool_calls=(
                ToolCalled(
                    name="ticket_lookup", arguments_sha256=HASH, result_sha256=HASH, ended="ok", arguments_by="reading"
                ),
            ),
            attempts=(read, attempt(2, "fast_small", "stop", output_tokens=30)),
            validations=(Validated(attempt=1, contract=ARGUMENTS_SAID, valid=True),),
            finished=finished("answered", lane="fast_small"),
        )
    )

    assert "The tool ticket_lookup was called with what a model had read out of the request: it answered." in story
    assert "for the arguments of the tool ticket_lookup, which answered" in story
    assert (
        "What attempt 1 read out of the request was held against the caller's own words: all of it stands there."
        in story
    )
