"""What is looked up before a model is asked joins the prompt as data, and the plan is made again for it."""

import asyncio
from typing import Any

import pytest

from router.budgets import Limits
from router.contract import (
    Chunk,
    ContextUsed,
    Decided,
    Decision,
    Label,
    OutputContract,
    RetrievalPlan,
    Retrieved,
    Skipped,
)
from router.errors import RetrievalUnavailable
from router.execute import Run, with_context
from router.prompt import prompt_messages
from router.testing import MemoryPurse, ScriptedRetriever
from tests.router.execute.kit import HELLO, Bench, decision

PLAN = RetrievalPlan(index="help_center", top_k=2, reranker="on")


def a_chunk(number: int, **changes: Any) -> Chunk:
    fields: dict[str, Any] = {
        "id": f"refunds#{number}",
        "index": "help_center",
        "doc": "refunds",
        "text": f"Refunds take {number} days.",
        "sha256": f"{number:064x}",
        "score": 1 / number,
    }
    return Chunk(**{**fields, **changes})


def looked_up(
    plan: Decision, retriever: ScriptedRetriever, later: Decision | None = None, purse: MemoryPurse | None = None
) -> tuple[Decision, Run, Bench]:
    bench = Bench(plan, later=later, near=HELLO, run={"retriever": retriever, "purse": purse})
    narrowed, run = asyncio.run(with_context(plan, bench.run))
    return narrowed, run, bench


def test_passages_stand_before_the_question_in_one_message_of_the_user() -> None:
    plan = decision(("near", ("start",)), retrieval=PLAN)
    _, run, _ = looked_up(plan, ScriptedRetriever((a_chunk(1), a_chunk(2))))

    (sent,) = prompt_messages(run.request.messages)

    assert sent.role == "user"
    assert sent.text.index("Refunds take 1 days.") < sent.text.index("Refunds take 2 days.") < sent.text.index("Hi")
    assert [message.origin for message in run.request.messages] == ["context", "caller"]


def test_the_record_names_what_was_used_and_the_second_decision_says_why() -> None:
    plan = decision(("near", ("start",)), retrieval=PLAN)
    _, run, bench = looked_up(plan, ScriptedRetriever((a_chunk(1), a_chunk(2), a_chunk(3))))

    (retrieved,) = bench.kept(Retrieved)
    assert (retrieved.depth, retrieved.chunks, retrieved.used) == ("deep", 3, 2)
    assert [used.chunk_id for used in bench.kept(ContextUsed)] == ["refunds#1", "refunds#2"]
    assert [decided.because for decided in bench.kept(Decided)] == ["context was looked up"]
    assert [chunk.id for chunk in run.context] == ["refunds#1", "refunds#2"]


def test_what_was_found_narrows_the_plan() -> None:
    plan = decision(("far", ("start",)), ("near", ("boundary",)), retrieval=PLAN)
    later = decision(("near", ("start",)), retrieval=PLAN, label=Label(level="confidential"))
    narrowed, _, _ = looked_up(plan, ScriptedRetriever((a_chunk(1, label=Label(level="confidential")),)), later)

    assert [rung.lane for rung in narrowed.ladder] == ["near"]
    assert narrowed.label.level == "confidential"


def test_an_answer_that_must_cite_is_not_given_without_what_it_would_cite() -> None:
    plan = decision(("near", ("start",)), retrieval=PLAN, output_contract=OutputContract(citations=True))

    with pytest.raises(RetrievalUnavailable):
        looked_up(plan, ScriptedRetriever(RetrievalUnavailable("gone")))


def test_any_other_answer_does_without_and_the_record_says_so() -> None:
    plan = decision(("near", ("start",)), retrieval=PLAN)
    narrowed, run, bench = looked_up(plan, ScriptedRetriever(RetrievalUnavailable("gone")))

    assert narrowed == plan
    assert run.context == ()
    assert [skipped.because for skipped in bench.kept(Skipped)] == ["gone"]


def test_the_plan_says_whose_passages_at_which_clearance_and_the_user_s_last_word_is_the_question() -> None:
    retriever = ScriptedRetriever((a_chunk(1),))
    looked_up(decision(("near", ("start",)), retrieval=PLAN), retriever)

    assert retriever.asked == [("Hi", PLAN, "local")]


def test_nothing_is_looked_up_for_a_request_that_no_lane_may_answer() -> None:
    retriever = ScriptedRetriever((a_chunk(1),))
    looked_up(decision(retrieval=PLAN), retriever)

    assert retriever.asked == []


def test_the_passages_that_are_used_are_taken_from_the_day_s_budget() -> None:
    purse = MemoryPurse(Limits(context_chunks=3))
    plan = decision(("near", ("start",)), retrieval=PLAN)

    looked_up(plan, ScriptedRetriever((a_chunk(1),)), purse=purse)

    assert purse.spent.context_chunks == 1
    assert purse.held == {}
