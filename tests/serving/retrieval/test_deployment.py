"""The client answers, or says within its deadline that it can't; the replica opens what is in force."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from router.bundle import load_bundle
from router.contract import Label, RetrievalPlan
from router.errors import RetrievalUnavailable
from serving.retrieval.add import Addition, add
from serving.retrieval.deployment import RetrievalClient, Shelf
from serving.retrieval.shipped import outdated, root_of
from serving.retrieval.testing import WordEmbedder

pytestmark = pytest.mark.slow

STARTER = Path(__file__).resolve().parents[3] / "config" / "starter"
PLAN = RetrievalPlan(index="help", top_k=3, reranker="on")


def client(answer: Any, seconds: float = 1.0) -> RetrievalClient:
    async def remote(query: str, plan: str, org: str) -> bytes:
        if isinstance(answer, Exception):
            raise answer
        return await answer(query, plan, org)

    return RetrievalClient(SimpleNamespace(retrieve=SimpleNamespace(remote=remote)), seconds)


def put(indexes: Path, folder: Path, text: str) -> None:
    path = folder / "a.jsonl"
    path.write_text(json.dumps({"id": "a", "doc": "a", "text": text}))
    add(indexes, "help", Addition(path, Label(level="internal")), WordEmbedder(), load_bundle(STARTER).tiers)


def test_the_shelf_answers_with_chunks_and_follows_what_is_in_force(tmp_path: Path) -> None:
    put(tmp_path / "indexes", tmp_path, "refund in five days")
    shelf = Shelf(tmp_path / "indexes", WordEmbedder())

    (chunk,) = shelf.look_up("refund", PLAN, "acme")
    put(tmp_path / "indexes", tmp_path, "refund in six days")
    (later,) = shelf.look_up("refund", PLAN, "acme")

    assert (chunk.id, chunk.index, chunk.text, chunk.label) == (
        "a",
        "help",
        "refund in five days",
        Label(level="internal"),
    )
    assert later.text == "refund in six days"
    assert later.sha256 != chunk.sha256
    assert shelf.look_up("refund", PLAN.model_copy(update={"clearance": "public"}), "acme") == ()


def test_a_shelf_is_warm_before_anybody_asks_whoever_may_see_what(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": "a", "doc": "a", "text": "refund"}))
    addition = Addition(path, Label(level="restricted"), tenant="acme")
    add(tmp_path / "indexes", "help", addition, WordEmbedder(), load_bundle(STARTER).tiers)
    embedder = WordEmbedder()

    Shelf(tmp_path / "indexes", embedder).warm("help")

    assert embedder.asked == ["warm"]


def test_an_index_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(RetrievalUnavailable, match="lane index add help PATH"):
        Shelf(tmp_path, WordEmbedder()).look_up("refund", PLAN, "acme")


def test_a_replica_that_does_not_answer_is_an_error_within_the_deadline() -> None:
    async def never(*_: str) -> bytes:
        await asyncio.sleep(60)
        return b"[]"

    with pytest.raises(RetrievalUnavailable, match=r"index help did not answer within 0\.05 s"):
        asyncio.run(client(never, 0.05).retrieve("refund", PLAN, "acme"))


def test_whatever_the_cluster_raises_is_that_error_with_the_replicas_own_reason() -> None:
    wrapped = RuntimeError("ray")
    wrapped.cause = RetrievalUnavailable("there is no index help here")  # type: ignore[attr-defined]

    with pytest.raises(RetrievalUnavailable, match="there is no index help here"):
        asyncio.run(client(wrapped).retrieve("refund", PLAN, "acme"))
    with pytest.raises(RetrievalUnavailable, match="ValueError"):
        asyncio.run(client(ValueError("internals")).retrieve("refund", PLAN, "acme"))


def test_the_plan_reaches_the_replica_whole() -> None:
    asked = []

    async def answer(query: str, plan: str, org: str) -> bytes:
        asked.append((query, RetrievalPlan.model_validate_json(plan), org))
        return b"[]"

    assert asyncio.run(client(answer).retrieve("refund", PLAN, "acme")) == ()
    assert asked == [("refund", PLAN, "acme")]


def test_a_bundles_documents_are_outdated_until_they_are_built_and_when_they_change(tmp_path: Path) -> None:
    starter = load_bundle(STARTER)
    indexes = tmp_path / "indexes"
    documents = STARTER / "documents" / "help_center"

    before = outdated(starter, indexes)
    addition = Addition(documents, Label(), root=root_of("help_center"))
    add(indexes, "help_center", addition, WordEmbedder(), starter.tiers)

    assert before == ("help_center",)
    assert outdated(starter, indexes) == ()
    page = tmp_path / "new.md"
    page.write_text("# New\n\nIt is new.")
    add(indexes, "help_center", Addition(page, Label(), root=root_of("help_center")), WordEmbedder(), starter.tiers)
    assert outdated(starter, indexes) == ("help_center",)
