"""The benchmark's figures are what they are called, and its planted falsehoods are false."""

from collections.abc import Sequence

import pytest

from benchmarks.retrieval.citations import plant
from benchmarks.retrieval.measure import Question, _figures, halves
from router.contract import Label
from serving.retrieval.passages import Passage


def passage(number: int) -> Passage:
    text = " ".join(f"word{number}x{at}" for at in range(20))
    return Passage(f"p-{number}", f"d-{number}", "root", "s", "", text, Label(), None)


@pytest.mark.slow
def test_every_planted_falsehood_is_caught_and_no_honest_answer_accused() -> None:
    planted = plant([passage(number) for number in range(12)])

    assert (planted.honest, planted.accused) == (1000, 0)
    assert planted.caught == planted.planted == 6000


def test_figures_count_each_abstract_once() -> None:
    found = {"a": ["x", "x", "a"], "b": ["b"], "c": ["x"]}

    def ask(texts: Sequence[str]) -> list[list[str]]:
        return [found[text] for text in texts]

    figures = _figures(ask, [Question(name, name, name) for name in found])

    assert figures.recall_at_1 == pytest.approx(1 / 3)
    assert figures.recall_at_5 == pytest.approx(2 / 3)
    assert figures.ndcg_at_10 == pytest.approx((1 / 1.5849625 + 1) / 3)


def test_two_halves_are_the_whole() -> None:
    questions = [Question(str(number), "", "") for number in range(50)]

    parts = dict(halves(questions))

    assert sorted(one.id for one in (*parts["one half"], *parts["other half"])) == sorted(one.id for one in questions)
    assert parts["all"] == questions
