"""What was found is gone, wherever it stands; what comes back is exactly what was there; nobody's placeholder can be written by another."""

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router.contract import (
    Finding,
    Message,
    ResponseFormat,
    RouteRequest,
    Sampling,
    TextPart,
    ToolCall,
    ToolSpec,
)
from router.redact import Hiding, Placeholders, PlaceholderTaken, Redaction, findings_left, redact, scan_with
from router.redact.forms import numbers_written
from router.redact.placeholders import VALUES_AT_MOST, Allotment, Kind, Placeholder, TooManyValues
from router.redact.restore import Restorer
from router.scan import scan_text

CARD = "4111 1111 1111 1111"
NONE = Placeholders()
SECRETS = {"Ada Moore": "PERSON", "Bo": "PERSON", CARD: "CREDIT_CARD", "张伟": "PERSON", "PERSON_": "ODD", "1": "DIGIT"}


def found_in(text: str, message: int = 0) -> tuple[Finding, ...]:
    """A scanner that knows the secrets: they are found wherever they stand as words."""
    return tuple(
        Finding(entity=entity, category="pii", message=message, start=hit.start(), end=hit.end(), score=0.9, detector="t")
        for secret, entity in SECRETS.items()
        for hit in re.finditer(rf"(?<![A-Za-z0-9]){secret}(?![A-Za-z0-9])", text)
    )  # fmt: skip


def asked(*messages: Message, **fields: Any) -> RouteRequest:
    return RouteRequest(messages=messages, org="local", **fields)


def says(*texts: str, role: Any = "user") -> Message:
    return Message(role=role, content=tuple(TextPart(text=text) for text in texts))


def redacted(request: RouteRequest, known: Placeholders = NONE, scan: Any = found_in, **more: Any) -> Redaction:
    findings = tuple(one for index, message in enumerate(request.messages) for one in scan(message.text, index))
    categories = more.pop("categories", ("pii", "payment"))
    hiding = Hiding(categories, (*findings, *more.pop("late", ())), scan, raise_at=0.5)
    return redact(request, hiding, known)


def restored(redaction: Redaction, text: str, *, in_json: bool = False) -> str:
    restorer = Restorer(redaction.placeholders, in_json=in_json)
    return "".join([*map(restorer.feed, text), restorer.end()])


FRAGMENTS = (
    *SECRETS, "<PERSON_1>", "PERSON_1", "<person 2>", "PERSON_", "_1", "<", ">", "&lt;", "\\u003c", "\\", " ", "\n", "x", "7", '"',
)  # fmt: skip
texts = st.lists(
    st.sampled_from(FRAGMENTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=14
).map("".join)


@given(texts)
def test_what_is_restored_is_what_was_redacted(text: str) -> None:
    redaction = redacted(asked(says(text)))

    assert restored(redaction, redaction.request.messages[0].text) == text


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_found_value_is_nowhere_left(parts: list[str]) -> None:
    redaction = redacted(asked(*(says(part) for part in parts)))

    for message in redaction.request.messages:
        rest = re.sub(r"<[A-Z_]+_[0-9]+>", " ", message.text)
        assert not [one for one in redaction.placeholders.given if len(one.value) >= 8 and one.value in rest]


@given(st.lists(texts, min_size=1, max_size=3))
def test_no_placeholder_in_use_is_written_in_the_texts_as_they_came(parts: list[str]) -> None:
    redaction = redacted(asked(*(says(part) for part in parts)))

    for one in redaction.placeholders.given:
        assert not any(one.number in numbers_written(one.entity, part) for part in parts)


@given(st.dictionaries(texts, texts | st.integers() | st.lists(texts, max_size=2), max_size=3))
def test_arguments_stay_json_and_come_back_as_they_were(arguments: dict[str, Any]) -> None:
    written = json.dumps(arguments)
    call = ToolCall(id="c", name="f", arguments=written)

    redaction = redacted(asked(Message(role="assistant", tool_calls=(call,))))
    (after,) = redaction.request.messages[0].tool_calls

    assume(not any(isinstance(value, int) for value in arguments.values()))
    assert json.loads(restored(redaction, after.arguments, in_json=True)) == arguments


def test_the_same_value_has_the_same_placeholder_throughout() -> None:
    call = ToolCall(id="c", name="mail", arguments=json.dumps({"to": "Ada Moore", "note": 'x "Ada Moore"'}))
    tool = ToolSpec(
        name="mail", description="mails Ada Moore", parameters_json='{"properties":{"to":{"const":"Ada Moore"}}}'
    )
    schema = ResponseFormat(type="json_schema", json_schema='{"enum":["Ada Moore"]}')

    redaction = redacted(
        asked(
            says("You serve Ada Moore.", role="system"),
            says("I am Ada Moore", "also ADA MOORE"),
            Message(role="assistant", tool_calls=(call,)),
            client_tools=(tool,),
            response_format=schema,
            sampling=Sampling(stop=("Ada Moore:",)),
        )
    )
    request = redaction.request

    assert [message.text for message in request.messages[:2]] == [
        "You serve <PERSON_1>.",
        "I am <PERSON_1>\nalso <PERSON_2>",
    ]
    assert json.loads(request.messages[2].tool_calls[0].arguments) == {"to": "<PERSON_1>", "note": 'x "<PERSON_1>"'}
    assert request.client_tools[0].description == "mails <PERSON_1>"
    assert json.loads(request.client_tools[0].parameters_json) == {"properties": {"to": {"const": "<PERSON_1>"}}}
    assert request.response_format.json_schema == '{"enum":["<PERSON_1>"]}'
    assert request.sampling.stop == ("<PERSON_1>:",)


def test_a_repeat_that_the_detector_missed_goes_too() -> None:
    text = "My name is Ada Moore. My mail is ada.moore@example.org. Yes, Moore; write to ADA.MOORE@example.org, not to Moorea."

    redaction = redacted(asked(says(text)), scan=scan_text)

    assert redaction.request.messages[0].text == (
        "My name is <PERSON_1>. My mail is <EMAIL_ADDRESS_1>. Yes, <PERSON_2>; write to <EMAIL_ADDRESS_2>, not to Moorea."
    )


def test_findings_that_overlap_are_hidden_as_one_under_the_surest_name() -> None:
    late = (
        Finding(entity="PERSON", category="pii", start=3, end=12, score=0.6, detector="a"),
        Finding(entity="ADDRESS", category="pii", start=7, end=19, score=0.9, detector="b"),
    )

    redaction = redacted(asked(says("at Lee Park Road 12, ok")), late=late, scan=lambda *_: ())

    assert redaction.request.messages[0].text == "at <ADDRESS_1>, ok"


def test_a_finding_within_a_token_takes_the_whole_token() -> None:
    inside = Finding(entity="KEY", category="pii", start=8, end=12, score=0.9, detector="base64")

    redaction = redacted(asked(says("key eyJhbGciOiJIUzI1NiJ9 ok")), late=(inside,), scan=lambda *_: ())

    assert redaction.request.messages[0].text == "key <KEY_1> ok"


def test_other_categories_and_weak_findings_stay_and_are_named() -> None:
    kept = (
        Finding(entity="ILLNESS", category="health", start=0, end=4, score=0.9, detector="a"),
        Finding(entity="PERSON", category="pii", start=5, end=8, score=0.4, detector="a"),
        Finding(entity="PERSON", category="pii", start=5, end=80, score=0.9, detector="points beyond the text"),
        Finding(entity="PERSON", category="pii", message=7, start=0, end=1, score=0.9, detector="points at no message"),
    )

    redaction = redacted(asked(says("gout Bob")), late=kept, scan=lambda *_: ())

    assert redaction.request.messages[0].text == "gout Bob"
    assert redaction.left == kept
    assert redaction.placeholders == Placeholders()


def test_a_number_in_arguments_becomes_a_placeholder_and_its_layout_stays() -> None:
    call = ToolCall(id="c", name="pay", arguments='{ "card": 4111111111111111,  "of": "\\u0041da Moore", "n": 1.50 }')

    redaction = redacted(
        asked(Message(role="assistant", tool_calls=(call,)), says("My name is Ada Moore")), scan=scan_text
    )

    arguments = redaction.request.messages[0].tool_calls[0].arguments
    assert arguments == '{ "card": "<CREDIT_CARD_1>",  "of": "<PERSON_1>", "n": 1.50 }'


def test_a_conversation_s_placeholders_are_used_again_and_fresh_ones_join_them() -> None:
    known = Placeholders((Placeholder("PERSON", 1, "Zoe", "pii"), Placeholder("PERSON", 4, "Ada Moore", "pii")))

    redaction = redacted(asked(says("Ada Moore met Bo")), known)

    assert redaction.request.messages[0].text == "<PERSON_4> met <PERSON_3>"
    assert "Zoe" not in redaction.placeholders.values().values()
    assert len(known.joined(redaction.placeholders).given) == 3


def test_a_known_placeholder_that_the_text_writes_is_given_up() -> None:
    known = Placeholders((Placeholder("PERSON", 3, "Ada Moore", "pii"),))

    redaction = redacted(asked(says("Ada Moore is not <person 3>")), known)

    assert redaction.request.messages[0].text == "<PERSON_2> is not <person 3>"
    assert restored(redaction, "<PERSON_3> <PERSON_2>") == "<PERSON_3> Ada Moore"


def test_two_values_never_share_a_placeholder() -> None:
    mine, theirs = (Placeholders((Placeholder("PERSON", 1, name, "pii"),)) for name in ("Ada", "Bo"))

    with pytest.raises(PlaceholderTaken):
        mine.joined(theirs)


def test_a_map_survives_its_json_and_shows_no_value() -> None:
    placeholders = Placeholders((Placeholder("PERSON", 1, 'Ada "M" 张', "pii"),))

    assert Placeholders.from_json(placeholders.to_json()) == placeholders
    assert "Ada" not in repr(placeholders)
    assert placeholders.counts() == {"PERSON": 1}


def test_a_data_set_is_too_much_to_hide() -> None:
    allotment = Allotment(Placeholders(), ())

    for number in range(VALUES_AT_MOST):
        allotment.placeholder_for(str(number), Kind("NUMBER", "pii"))

    with pytest.raises(TooManyValues):
        allotment.placeholder_for("one more", Kind("NUMBER", "pii"))


def test_the_second_scan_sees_what_the_first_did_not_take_out() -> None:
    finding = Finding(entity="ILLNESS", category="health", start=0, end=4, score=0.9, detector="late")
    redaction = redacted(
        asked(says("gout: my card is 4111 1111 1111 1111")), scan=scan_text, categories=(), late=(finding,)
    )

    assert {one.entity for one in findings_left(redaction, scan_text)} == {"ILLNESS", "CREDIT_CARD"}


def test_a_value_that_shows_only_once_its_neighbour_is_gone_is_left_to_the_second_scan() -> None:
    redaction = redacted(asked(says("Ada Moore张伟")))

    assert redaction.request.messages[0].text == "<PERSON_1>张伟"
    assert "PERSON" in {one.entity for one in findings_left(redaction, found_in)}


def test_what_was_taken_out_of_an_earlier_turn_is_found_without_its_cue() -> None:
    known = Placeholders((Placeholder("PERSON", 1, "Ada Moore", "pii"), Placeholder("CITY", 1, "Köln", "pii")))
    text = "Liebe Frau Moore, in köln und in Köln: ADA MOORE!"

    found = scan_with(known, scan_text)(text, 3)

    assert {(text[one.start : one.end], one.entity, one.message) for one in found if one.detector == "session"} == {
        ("Moore", "PERSON", 3),
        ("Köln", "CITY", 3),
        ("ADA MOORE", "PERSON", 3),
    }
    assert scan_with(Placeholders(), scan_text) is scan_text


def test_a_finding_beside_the_messages_is_left_unless_the_scan_makes_it_again() -> None:
    tool = ToolSpec(name="mail", description="mails Ada Moore", parameters_json="{}")
    again = Finding(entity="PERSON", category="pii", message=-1, start=11, end=20, score=0.9, detector="t")
    deep = again.model_copy(update={"detector": "deep"})

    redaction = redacted(asked(says("Hello"), client_tools=(tool,)), late=(again, deep))

    assert redaction.request.client_tools[0].description == "mails <PERSON_1>"
    assert redaction.left == (deep,)


@pytest.mark.parametrize(
    ("text", "redacted_text"),
    [
        ("see bXkgY2FyZCBpcyA0MTExIDExMTEgMTExMSAxMTExLCB0aGFua3M= ok", "see <CREDIT_CARD_1> ok"),
        (
            "see https://x.example/?c=4111%201111%201111%201111&d=1 ok",
            "see https://x.example/?c=<CREDIT_CARD_1>&d=1 ok",
        ),
        ("card 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 ok", "card <CREDIT_CARD_1> ok"),
        ("card ４１１１ １１１１ １１１１ １１１１ ok", "card <CREDIT_CARD_1> ok"),
        ("mail &#97;da&#64;example.org ok", "mail <EMAIL_ADDRESS_1> ok"),
    ],
)
def test_a_value_in_disguise_goes_with_its_disguise_and_comes_back_with_it(text: str, redacted_text: str) -> None:
    redaction = redacted(asked(says(text)), scan=scan_text)

    assert redaction.request.messages[0].text == redacted_text
    assert restored(redaction, redacted_text) == text
