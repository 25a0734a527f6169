from dataclasses import replace

from router.bundle import Bundle
from router.bundle.answer_rules import ContractRules, LengthRule
from router.contract import (
    Chunk,
    Decision,
    Message,
    OutputContract,
    ResponseFormat,
    RouteRequest,
    Sampling,
    TextPart,
    Topic,
)
from router.validate import AnswerContract, PrefixChecker, contract_of, validate_answer

RULES = ContractRules(forbidden=("ssn",))
ASKED = RouteRequest(messages=(Message(role="user", content=(TextPart(text="Hello"),)),), org="acme")


def decided(output: OutputContract, route: str = "everyday") -> Decision:
    return Decision(
        route=route,
        risk_tier="low",
        topic=Topic(intent="question", confidence=1, domain="general", mode="chat"),
        label={},  # type: ignore[arg-type]
        lane=None,
        model=None,
        sampling=Sampling(),
        output_contract=output,
        bundle_hash="",
        classifier="",
    )


def test_free_text_has_no_contract(starter: Bundle) -> None:
    assert contract_of(decided(OutputContract()), ASKED, starter) is None


def test_a_contract_of_the_bundle_comes_with_its_rules(starter: Bundle) -> None:
    bundle = replace(starter, answer_rules={"SupportAnswerV3": RULES})

    found = contract_of(decided(OutputContract(type="json", schema_name="SupportAnswerV3")), ASKED, bundle)

    assert found == AnswerContract("SupportAnswerV3", starter.contracts["SupportAnswerV3"], RULES)


def test_free_text_may_have_rules_alone(starter: Bundle) -> None:
    rules = ContractRules(length=(LengthRule(words_at_most=50),))
    bundle = replace(starter, answer_rules={"Brief": rules})

    found = contract_of(decided(OutputContract(type="text", schema_name="Brief")), ASKED, bundle)

    assert found == AnswerContract("Brief", None, rules)


def test_a_shape_of_the_caller_s_own_still_keeps_the_route_s_rules(starter: Bundle) -> None:
    route = next(one.spec.id for one in starter.routes if one.spec.output_contract.schema_name == "SupportAnswerV3")
    bundle = replace(starter, answer_rules={"SupportAnswerV3": RULES})
    asked = ASKED.model_copy(
        update={"response_format": ResponseFormat(type="json_schema", json_schema='{"type":"array"}')}
    )

    found = contract_of(decided(OutputContract(type="json", schema_name="request"), route), asked, bundle)

    assert found == AnswerContract("response", '{"type":"array"}', RULES)


PASSAGE = Chunk(
    id="refunds#1", doc="refunds", index="help_center", text="A refund takes five working days.", sha256="0" * 64
)


def test_an_answer_that_must_cite_cites_what_was_retrieved(starter: Bundle) -> None:
    contract = contract_of(decided(OutputContract(citations=True)), ASKED, starter, (PASSAGE,))

    assert contract is not None
    assert validate_answer("A refund takes five working days [refunds#1].", contract).valid
    assert not validate_answer("A refund takes five working days [refunds#2].", contract).valid
    assert not validate_answer("A refund takes five working days.", contract).valid


def test_a_json_answer_lists_what_it_cites_and_a_stream_is_held_to_it_at_its_end(starter: Bundle) -> None:
    asked = OutputContract(type="json", schema_name="SupportAnswerV3", citations=True)
    contract = contract_of(decided(asked), ASKED, starter, (PASSAGE,))
    assert contract is not None
    checker = PrefixChecker(contract)

    breach = checker.feed(
        '{"answer": "Five days.", "citations": ["made up"], "next_step": "none", "confidence": "low"}'
    )

    assert breach is None
    assert any("made up" in error for error in checker.close().errors)


def test_where_nothing_was_found_nothing_need_be_cited(starter: Bundle) -> None:
    contract = contract_of(decided(OutputContract(citations=True)), ASKED, starter)

    assert contract is not None
    assert validate_answer("I do not know.", contract).valid
    assert not validate_answer("It says so [refunds#1].", contract).valid
