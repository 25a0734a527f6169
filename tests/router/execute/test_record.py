import pytest

from router.contract import (
    Egress,
    OutputContract,
    Validated,
)
from router.errors import (
    ContractViolated,
)
from router.lane import Departed, Stop, TextDelta
from tests.router.execute.kit import HELLO, Bench, decision


def test_what_left_is_recorded_and_not_shown_to_the_caller() -> None:
    departed = Departed("p", "0" * 64, 12, "n1", "7")

    bench = Bench(decision(("far", ("start",))), far=[(departed,), *HELLO]).play()

    (egress,) = bench.kept(Egress)
    assert (egress.body_bytes, egress.ledger_entry) == (12, "7")
    assert departed not in bench.events


def test_an_answer_that_breaks_its_contract_never_ends_as_success() -> None:
    contract = OutputContract(type="json", schema_name="Person")
    bench = Bench(decision(("near", ("start",)), output_contract=contract), near=[(TextDelta("{}"),), (Stop("stop"),)])

    with pytest.raises(ContractViolated):
        bench.play()

    assert not any(isinstance(event, Stop) for event in bench.events)
    assert [one.valid for one in bench.kept(Validated)] == [False, False]


def test_an_answer_cut_by_length_is_shown_as_incomplete() -> None:
    contract = OutputContract(type="json", schema_name="Person")

    bench = Bench(
        decision(("near", ("start",)), output_contract=contract), near=[(TextDelta('{"na'),), (Stop("length"),)]
    ).play()

    assert bench.events[-1] == Stop("length")
