"""How good are the linear heads on texts they were not fitted on, and what are their weights when fitted on all?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.corpus import REGULATED, Corpus, Example
from benchmarks.training.linear import Column, Design, fit, fit_calibration, fit_loudest, loudest
from benchmarks.training.risks import Risk, by_source
from router.classify.features import ALARM_CHARACTERS, Vocabulary, window, words_of
from router.classify.heads import ALARMS, LINEAR_HEADS

FALSE_ALARMS: Final = 0.01
"""The share of everyday texts that an alarm may flag."""

_FOLDS: Final = 5
_STRENGTH: Final = {"attack": 3.0, "harm": 3.0} | dict.fromkeys(REGULATED, 3.0)
_SURE: Final = 0.5
_RIDGE: Final = 5.0
_SUBJECT_SHARE: Final = 0.8
_SUBJECT_PRIOR: Final = 10
_EASY_QUERIES: Final = 1500

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Linears:
    """The stored arrays, the calibration of each head, and for the alarms the scores of the published rows when held out."""

    arrays: dict[str, NDArray[Any]]
    calibration: dict[str, dict[str, float]]
    held_out: dict[str, Scores]


def fit_linears(design: Design, vocabulary: Vocabulary, corpus: Corpus, risks: Sequence[Risk]) -> Linears:
    """Fit every linear head."""
    columns: dict[str, Column] = {}
    calibration: dict[str, dict[str, float]] = {}
    held_out: dict[str, Scores] = {}
    for name, (examples, wanted) in _fields(corpus).items():
        matrix, _ = design.matrix(topic_rows(vocabulary, examples), whole=True)
        weights = np.ones(len(wanted))
        scores = _across(matrix, np.arange(len(wanted)), wanted, weights, name)
        columns[name] = design.column(fit(matrix, wanted, weights, _STRENGTH[name]))
        calibration[name] = _calibrated(scores, wanted, _SURE)
        print(f"head {name}: fitted on {len(wanted)} texts", flush=True)
    columns["difficulty"], calibration["difficulty"] = _difficulty(design, vocabulary, corpus)
    matrix, owners = design.matrix([alarm_rows(vocabulary, risk.text) for risk in risks], whole=False)
    for name in ALARMS:
        wanted, weights = alarm_targets(risks, name)
        columns[name] = design.column(fit_loudest(matrix, owners, wanted, weights, _STRENGTH[name]))
        scores = held_out_scores(matrix, owners, wanted, weights, risks, name)
        judged = np.array([not risk.own and weight > 0 for risk, weight in zip(risks, weights, strict=True)])
        row = _calibrated(scores[judged], wanted[judged], _SURE)
        everyday = np.array([risk.kind == "benign" and not risk.own for risk in risks])
        row["threshold"] = _probability(row, float(np.quantile(scores[everyday], 1 - FALSE_ALARMS)))
        calibration[name] = row
        held_out[name] = scores
        print(f"head {name}: fitted on {int(wanted.sum())} of {len(risks)} texts", flush=True)
    return Linears(_stored(design, columns), calibration, held_out)


def topic_rows(vocabulary: Vocabulary, examples: Sequence[Example]) -> list[NDArray[np.int64]]:
    """Return each example's piece rows, as the topic reads a text."""
    return [vocabulary.rows(words_of(window(example.text))) for example in examples]


def alarm_rows(vocabulary: Vocabulary, text: str) -> NDArray[np.int64]:
    """Return a text's piece rows, as the alarms read it."""
    return vocabulary.rows(words_of(text[:ALARM_CHARACTERS]))


def alarm_targets(risks: Sequence[Risk], name: str) -> tuple[Flags, Scores]:
    """Return which texts an alarm is for, and how much each counts. Neither alarm learns from what the other is for."""
    own = {"attack": "attack", "harm": "harmful"}[name]
    wanted = np.array([risk.kind == own for risk in risks])
    return wanted, np.array([risk.weight * (risk.kind in {own, "benign"}) for risk in risks])


def held_out_scores(
    matrix: Any, owners: NDArray[np.int64], wanted: Flags, weights: Scores, risks: Sequence[Risk], name: str
) -> Scores:
    """Return each published row's score by a head fitted without it; own rows always help to fit."""
    fold = _folds(len(wanted))
    scores = np.zeros(len(wanted))
    own = np.array([risk.own for risk in risks])
    for number in range(_FOLDS):
        out = (fold == number) & ~own
        kept = np.where(out, 0.0, weights)
        scores[out] = loudest(fit_kept(matrix, owners, wanted, kept, name), matrix, owners)[out]
    return scores


def fit_kept(matrix: Any, owners: NDArray[np.int64], wanted: Flags, weights: Scores, name: str) -> Any:
    """Fit on the texts that count at all."""
    texts = np.flatnonzero(weights > 0)
    new_place = np.full(len(wanted), -1)
    new_place[texts] = np.arange(len(texts))
    rows = np.flatnonzero(new_place[owners] >= 0)
    return fit_loudest(matrix[rows], new_place[owners[rows]], wanted[texts], weights[texts], _STRENGTH[name])


def recall_at(scores: Scores, wanted: Flags, everyday: Flags, share: float = FALSE_ALARMS) -> tuple[float, float]:
    """Return recall at the threshold that flags this share of everyday texts, and the threshold."""
    threshold = float(np.quantile(scores[everyday], 1 - share))
    return float((scores[wanted] > threshold).mean()), threshold


def judge_alarms(linears: Linears, risks: Sequence[Risk]) -> dict[str, Any]:
    """Return the figures of the alarms on the published rows, each scored by heads that did not see it."""
    kinds = np.array([risk.kind for risk in risks])
    published = np.array([not risk.own for risk in risks])
    everyday = published & (kinds == "benign")
    safe = everyday & np.array([risk.source == "XSTest" for risk in risks])
    figures: dict[str, Any] = {}
    for name, kind in (("attack", "attack"), ("harm", "harmful")):
        scores = linears.held_out[name]
        recall, threshold = recall_at(scores, published & (kinds == kind), everyday)
        sources = {
            source: float((scores[places] > threshold).mean())
            for source, places in by_source(risks, _KIND[name]).items()
        }
        figures[name] = {
            "recall_at_1_percent_false_alarms": round(recall, 4),
            "recall_mean_over_sources": round(float(np.mean(list(sources.values()))), 4),
            "xstest_safe_flagged": round(float((scores[safe] > threshold).mean()), 4),
            "recall_by_source": {source: round(value, 3) for source, value in sorted(sources.items())},
        }
    return figures


_KIND: Final[dict[str, Any]] = {"attack": "attack", "harm": "harmful"}


def _fields(corpus: Corpus) -> dict[str, tuple[Sequence[Example], Flags]]:
    everything = (*corpus.train, *corpus.prompts)
    return {
        **{field: (everything, np.array([field in one.regulated for one in everything])) for field in REGULATED},
    }


def _difficulty(design: Design, vocabulary: Vocabulary, corpus: Corpus) -> tuple[Column, dict[str, float]]:
    """Fit what the stronger model would win, by ridge regression. Its unit is the share of reference prompts that are easier.

    A single answer is mostly chance, so each prompt's gain is drawn towards the mean of its subject. Everyday queries gain nothing.
    """
    from sklearn.linear_model import Ridge

    prompts, queries = corpus.prompts, corpus.lessons[:: max(1, len(corpus.lessons) // _EASY_QUERIES)]
    gains: dict[str, list[int]] = {}
    for prompt in prompts:
        gains.setdefault(prompt.subject, []).append(prompt.gain)
    overall = float(np.mean([prompt.gain for prompt in prompts]))
    means = {
        subject: (sum(of) + overall * _SUBJECT_PRIOR) / (len(of) + _SUBJECT_PRIOR) for subject, of in gains.items()
    }
    wanted = [_SUBJECT_SHARE * means[prompt.subject] + (1 - _SUBJECT_SHARE) * prompt.gain for prompt in prompts]
    matrix, _ = design.matrix(topic_rows(vocabulary, (*prompts, *queries)), whole=True)
    wanted += [0.0] * len(queries)
    model = Ridge(alpha=_RIDGE, solver="sparse_cg", max_iter=200, random_state=0).fit(matrix, wanted)
    column = design.column(model)
    scores = model.predict(matrix[: len(prompts)])
    # A logistic curve as near to the scores' cumulative distribution as a normal one would be.
    slope = 1.702 / float(scores.std())
    return column, {"slope": round(slope, 5), "offset": round(-slope * float(scores.mean()), 5), "threshold": _SURE}


def _across(matrix: Any, owners: NDArray[np.int64], wanted: Flags, weights: Scores, name: str) -> Scores:
    fold = _folds(len(wanted))
    scores = np.zeros(len(wanted))
    for number in range(_FOLDS):
        out = fold[owners] == number
        model = fit(matrix[~out], wanted[owners[~out]], weights[owners[~out]], _STRENGTH[name])
        scores[out] = model.decision_function(matrix[out])
    return scores


def _folds(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(count) % _FOLDS


def _calibrated(scores: Scores, wanted: Flags, threshold: float) -> dict[str, float]:
    slope, offset = fit_calibration(scores, wanted)
    return {"slope": round(slope, 5), "offset": round(offset, 5), "threshold": threshold}


def _probability(row: dict[str, float], score: float) -> float:
    return round(float(1 / (1 + np.exp(-(row["slope"] * score + row["offset"])))), 5)


def _stored(design: Design, columns: dict[str, Column]) -> dict[str, NDArray[Any]]:
    parts = {
        f"linear_{part}": np.stack([getattr(columns[name], part) for name in LINEAR_HEADS], axis=-1).astype(np.float16)
        for part in ("pieces", "pairs", "kind_pairs")
    }
    bias = np.array([columns[name].bias for name in LINEAR_HEADS], np.float32)
    return {**parts, "linear_bias": bias, "kinds": design.kinds}
