"""No altered, late, foreign or sensitive request passes the guard, whoever signed it."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from router.boundary import SendQuestion
from router.contract import Finding, ImagePart, Label, Message, TextPart
from router.permit import sign
from router.render import canonical_json, parse_body, render
from serving.door.guard import PERMIT_SECONDS_AT_MOST, Allow, Asked, Deny, judge, judge_found, scanned_label
from serving.hosted import PERMIT_SECONDS
from tests.serving.door.kit import Answer, a_call, a_lane, a_permit, a_token, hosted_of, rules_for

LANE = a_lane()
RULES = rules_for(LANE)
BODY = render(a_call(), hosted_of(LANE))
SHA256 = hashlib.sha256(BODY).hexdigest()
NOW = 1_000.0


def asked(body: bytes = BODY, to: str = "premium", **permit: object) -> Asked:
    """Return a request whose permit is properly signed for its body, unless told otherwise."""
    fields: dict[str, object] = {"expires_at": 1_030, "body_sha256": hashlib.sha256(body).hexdigest()}
    return Asked(a_token(**(fields | permit)), to, body)  # type: ignore[arg-type]


def body_with(**fields: object) -> bytes:
    return canonical_json(parse_body(BODY) | fields)


def because_of(verdict: Allow | Deny) -> str:
    assert isinstance(verdict, Deny)
    return verdict.because


def test_what_is_in_order_is_allowed_with_its_label() -> None:
    verdict = judge(asked(label=Label(level="internal", jurisdictions=("eu",))), RULES, NOW)

    assert isinstance(verdict, Allow)
    assert verdict.label == Label(level="internal", jurisdictions=("eu",))
    assert (verdict.lane, verdict.hosted, verdict.permit.body_sha256) == (LANE, LANE.hosted, SHA256)


@given(place=st.integers(0, len(BODY) - 1), byte=st.integers(0, 255))
def test_any_altered_byte_is_refused(place: int, byte: int) -> None:
    altered = BODY[:place] + bytes([byte]) + BODY[place + 1 :]
    if altered == BODY:
        return

    verdict = judge(asked(altered, body_sha256=SHA256), RULES, NOW)

    assert because_of(verdict) == "the permit is for other bytes"


@given(place=st.integers(0, len(BODY)), added=st.binary(min_size=1, max_size=8))
def test_any_added_bytes_are_refused(place: int, added: bytes) -> None:
    verdict = judge(asked(BODY[:place] + added + BODY[place:], body_sha256=SHA256), RULES, NOW)

    assert because_of(verdict) == "the permit is for other bytes"


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        ({"lane": "code"}, "another lane"),
        ({"region": "us"}, "another region"),
        ({"bundle_hash": "c" * 64}, "another bundle"),
        ({"body_sha256": "0" * 64}, "other bytes"),
        ({"expires_at": 1_000}, "expired"),
        ({"expires_at": 1_061}, "longer than any"),
    ],
)
def test_a_permit_for_something_else_is_refused_and_noted(wrong: dict[str, Any], because: str) -> None:
    verdict = judge(asked(**wrong), RULES, NOW)

    assert because in because_of(verdict)
    assert isinstance(verdict, Deny)
    assert verdict.permit is not None


@given(skew=st.integers(-300, 300))
def test_a_router_s_clock_may_be_a_little_wrong_and_no_more(skew: int) -> None:
    seconds_left = skew + PERMIT_SECONDS

    verdict = judge(asked(expires_at=int(NOW) + seconds_left), RULES, NOW)

    assert isinstance(verdict, Allow) == (0 < seconds_left <= PERMIT_SECONDS_AT_MOST)


@pytest.mark.parametrize("lane", ["", "code", "private", "PREMIUM"])
def test_a_lane_that_is_not_hosted_here_is_refused(lane: str) -> None:
    private = LANE.model_copy(update={"name": "private", "hosted": None, "model": "small"})
    rules = rules_for(LANE, private)

    assert "not one of the door's" in because_of(judge(asked(to=lane), rules, NOW))


def test_a_permit_of_one_lane_does_not_open_another() -> None:
    other = LANE.model_copy(update={"name": "code"})

    assert "another lane" in because_of(judge(asked(to="code"), rules_for(LANE, other), NOW))


def test_a_tenant_that_lets_nothing_leave_sends_nothing_whatever_its_permits_say() -> None:
    rules = replace(RULES, closed_orgs=frozenset({"acme"}))

    verdict = judge(asked(org="acme"), rules, NOW)

    assert isinstance(verdict, Deny)
    assert verdict.policies == ("egress-none",)
    assert isinstance(judge(asked(org="another"), rules, NOW), Allow)


def test_a_forged_signature_is_refused_and_tells_the_ledger_nothing() -> None:
    forged = sign(a_permit(SHA256, expires_at=1_030), Ed25519PrivateKey.generate())

    verdict = judge(Asked(forged, "premium", BODY), RULES, NOW)

    assert because_of(verdict) == "the permit is not signed by this router"
    assert isinstance(verdict, Deny)
    assert verdict.permit is None


@given(st.text(max_size=100))
def test_any_other_token_is_refused(token: str) -> None:
    assert isinstance(judge(Asked(token, "premium", BODY), RULES, NOW), Deny)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        BODY + b"\n",
        BODY.replace(b'"stream":true', b'"stream": true'),
        BODY.replace(b'"stream":true', b'"stream":true,"stream":true'),
        body_with(model="bigger-2"),
        body_with(stream=False),
        body_with(user="u-1"),
        body_with(metadata={"a": "b"}),
        body_with(store=True),
        body_with(web_search_options={}),
        body_with(messages="Hi"),
        body_with(messages=["Hi"]),
        body_with(messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]),
        body_with(
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/?leak"}}]}]
        ),
    ],
)
def test_a_body_that_no_renderer_of_ours_writes_is_refused_even_if_signed(body: bytes) -> None:
    assert isinstance(judge(asked(body), RULES, NOW), Deny)


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"model": "bigger-2"}, "the body asks for another model than the lane's"),
        ({"stream": False}, "the body does not ask for a stream"),
        ({"user": "u-1", "store": True}, "the body holds fields that may not leave: 2 of them"),
        ({"messages": {"role": "user"}}, "the body holds a part that no renderer of ours writes"),
    ],
)
def test_what_a_body_lacks_is_said_in_so_many_words(fields: dict[str, Any], because: str) -> None:
    assert because_of(judge(asked(body_with(**fields)), RULES, NOW)) == because


PERSONAL = [
    "Charge 4111 1111 1111 1111 today",
    "my card is 4111-1111-1111-1111",
    "key AKIAIOSFODNN7EXAMPLE secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
]


@pytest.mark.parametrize("text", PERSONAL)
@pytest.mark.parametrize("where", ["message", "arguments", "tool", "schema key", "stop", "number"])
def test_personal_data_is_found_wherever_it_hides_in_the_body(text: str, where: str) -> None:
    body = {
        "message": lambda: body_with(messages=[{"role": "user", "content": text}]),
        "arguments": lambda: body_with(
            messages=[
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "f", "arguments": canonical_json({"q": text}).decode()},
                        }
                    ],
                }
            ]
        ),
        "tool": lambda: body_with(tools=[{"type": "function", "function": {"name": "f", "description": text}}]),
        "schema key": lambda: body_with(
            response_format={"type": "json_schema", "json_schema": {"schema": {"properties": {text: {}}}}}
        ),
        "stop": lambda: body_with(stop=[text]),
        "number": lambda: body_with(
            tools=[{"type": "function", "function": {"parameters": {"const": 4111111111111111}}}]
        ),
    }[where]()

    verdict = judge(asked(body), RULES, NOW)

    assert isinstance(verdict, Deny)
    assert verdict.policies == ("stays_private",)
    assert verdict.permit is not None
    assert text not in verdict.because


def test_escapes_within_a_tool_call_s_arguments_hide_nothing() -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in "4111 1111 1111 1111")
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": f'{{"q":"{escaped}"}}'}}
    body = body_with(messages=[{"role": "assistant", "content": None, "tool_calls": [call]}])

    assert isinstance(judge(asked(body), RULES, NOW), Deny)


def test_an_image_can_t_be_scanned_and_is_therefore_restricted() -> None:
    message = Message(role="user", content=(TextPart(text="See"), ImagePart(media_type="image/png", data="QUJD")))
    body = render(a_call(messages=(message,)), hosted_of(LANE))

    assert scanned_label(body, hosted_of(LANE), RULES).level == "restricted"
    assert "restricted" in because_of(judge(asked(body), RULES, NOW))


def test_a_finding_below_the_bundle_s_threshold_raises_nothing() -> None:
    def unsure(text: str) -> tuple[Finding, ...]:
        return (Finding(entity="name", category="pii", start=0, end=1, score=0.49, detector="test"),)

    assert isinstance(judge(asked(), replace(RULES, scan=unsure), NOW), Allow)


def test_a_finding_at_the_bundle_s_threshold_raises_and_the_refusal_says_what_was_found() -> None:
    def sure_enough(text: str) -> tuple[Finding, ...]:
        kinds = ("pii", "health")
        return tuple(Finding(entity="x", category=kind, start=0, end=1, score=0.5, detector="test") for kind in kinds)

    verdict = judge(asked(), replace(RULES, scan=sure_enough), NOW)

    assert because_of(verdict) == "the boundary keeps confidential text with health, pii from this lane"


def test_restricted_text_without_a_category_is_described_by_its_level() -> None:
    verdict = judge(asked(label=Label(level="restricted")), RULES, NOW)

    assert because_of(verdict) == "the boundary keeps restricted text from this lane"


def test_a_category_that_the_bundle_gives_no_level_is_restricted() -> None:
    def found(text: str) -> tuple[Finding, ...]:
        return (Finding(entity="x", category="unheard_of", start=0, end=1, score=1, detector="test"),)

    assert scanned_label(BODY, hosted_of(LANE), replace(RULES, scan=found)) == Label(
        level="restricted", categories=("unheard_of",)
    )


def broken(*_: object) -> Any:
    raise RuntimeError("secret words")


@pytest.mark.parametrize("part", ["scan", "may_send"])
def test_a_scanner_or_policy_engine_that_breaks_keeps_the_body_in(part: str) -> None:
    verdict = judge(asked(), replace(RULES, **{part: broken}), NOW)

    assert because_of(verdict) == "the body could not be judged (RuntimeError)"
    assert isinstance(verdict, Deny)
    assert verdict.permit is not None


def test_only_a_plain_yes_of_the_boundary_lets_out() -> None:
    rules = replace(RULES, may_send=lambda *_: Answer("yes", ()))  # type: ignore[arg-type]

    assert isinstance(judge(asked(), rules, NOW), Deny)


def test_the_boundary_is_asked_for_what_the_permit_says_of_the_request() -> None:
    questions: list[SendQuestion] = []

    def note(question: SendQuestion) -> Answer:
        questions.append(question)
        return Answer(True, ())

    judge(
        asked(org="acme", risk_tier="elevated", attack="suspected", redacted=("pii",)),
        replace(RULES, may_send=note),
        NOW,
    )

    assert questions == [SendQuestion("acme", "premium", Label(), "elevated", attack="suspected", redacted=("pii",))]


@given(label=st.builds(Label, level=st.sampled_from(["public", "internal", "confidential", "restricted"])))
def test_what_the_guard_allows_is_never_below_the_permit_s_label(label: Label) -> None:
    match judge(asked(label=label), RULES, NOW):
        case Allow(label=found):
            assert found == label
        case Deny():
            assert label.level in {"confidential", "restricted"}


def test_what_the_deep_scan_found_joins_the_label_and_is_asked_about_again() -> None:
    allowed = judge(asked(label=Label(level="internal")), RULES, NOW)
    assert isinstance(allowed, Allow)

    kept_in = judge_found(allowed, Label(level="confidential", categories=("pii",)), RULES)
    let_go = judge_found(allowed, Label(jurisdictions=("eu",)), RULES)

    assert because_of(kept_in) == "the boundary keeps confidential text with pii from this lane"
    assert isinstance(kept_in, Deny)
    assert (kept_in.policies, kept_in.permit) == (("stays_private",), allowed.permit)
    assert isinstance(let_go, Allow)
    assert let_go.label == Label(level="internal", jurisdictions=("eu",))
    assert (let_go.permit, let_go.lane) == (allowed.permit, LANE)


def test_a_policy_engine_that_breaks_after_the_deep_scan_keeps_the_body_in() -> None:
    allowed = judge(asked(), RULES, NOW)
    assert isinstance(allowed, Allow)

    verdict = judge_found(allowed, Label(), replace(RULES, may_send=broken))

    assert because_of(verdict) == "the body could not be judged (RuntimeError)"


def test_every_refusal_after_the_signature_notes_the_permit() -> None:
    strange = judge(asked(to="code"), RULES, NOW)
    closed = judge(asked(org="acme"), replace(RULES, closed_orgs=frozenset({"acme"})), NOW)

    assert because_of(strange) == "the lane is not one of the door's"
    assert because_of(closed) == "tenant acme lets nothing leave (`egress: none`)"
    assert isinstance(strange, Deny)
    assert isinstance(closed, Deny)
    assert strange.permit is not None
    assert closed.permit is not None


def test_a_permit_may_be_good_for_exactly_the_longest_time() -> None:
    assert isinstance(judge(asked(expires_at=int(NOW) + PERMIT_SECONDS_AT_MOST), RULES, NOW), Allow)
