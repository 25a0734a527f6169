"""How good are the heads? Figures on what they were not fitted on: CLINC150's validation part and the prompts held back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.corpus import OUT_OF_SCOPE, REGULATED, Corpus, Example
from router.classify.features import window, words_of
from router.classify.heads import Heads

_BINS = 10


def judge(heads: Heads, corpus: Corpus) -> dict[str, Any]:
    """Return the scores that the card prints."""
    topics = [(example, heads.topic(example.text)) for example in corpus.judge]
    changing = {name for name, row in corpus.facts.items() if row["state_changing"]}
    asked = np.array([example.intent in changing for example, _ in topics])
    said = np.array([topic.state_changing for _, topic in topics])
    hard = np.array([heads.topic(prompt.text).difficulty for prompt in corpus.judge_prompts])
    return {
        **judge_intents(heads, corpus.judge),
        "state_changing_precision": round(float((asked & said).sum() / said.sum()), 4),
        "state_changing_recall": round(float((asked & said).sum() / asked.sum()), 4),
        "regulated": {field: _regulated(topics, field) for field in REGULATED},
        "difficulty_gap_recovered": round(gap_recovered(hard, corpus.judge_prompts), 4),
    }


def judge_intents(heads: Heads, examples: Sequence[Example]) -> dict[str, Any]:
    """Return accuracy with rejection, recall of what is out of scope, and how far probabilities are from what they promise."""
    topics = [heads.topic(example.text) for example in examples]
    known = np.array([example.intent != OUT_OF_SCOPE for example in examples])
    right = np.array(
        [
            not topic.out_of_scope and topic.intent == example.intent
            for topic, example in zip(topics, examples, strict=True)
        ]
    )
    rejected = np.array([topic.out_of_scope for topic in topics])
    logits = [heads.network.logits(heads.vocabulary.rows(words_of(window(one.text)))) for one in examples]
    shares = np.stack([heads.network.shares(row) for row in logits])
    names = [*heads.facts, OUT_OF_SCOPE]
    best = np.array([names[place] == one.intent for place, one in zip(shares.argmax(1), examples, strict=True)])
    scores: dict[str, Any] = {
        "intent_accuracy": round(float(right[known].mean()), 4),
        "calibration_error": round(calibration_error(shares.max(1), best), 4),
    }
    if not known.all():
        scores["out_of_scope_recall"] = round(float(rejected[~known].mean()), 4)
        scores["out_of_scope_auroc"] = round(_area(-np.array([heads.network.lead(row) for row in logits]), ~known), 4)
    return scores


def calibration_error(confidence: NDArray[Any], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error in ten bins of equal width (Guo et al. 2017)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(confidence[bins == one].mean() - right[bins == one].mean()) * (bins == one).mean()
        for one in set(bins.tolist())
    ]
    return float(np.sum(gaps))


def gap_recovered(difficulty: NDArray[Any], prompts: Sequence[Example]) -> float:
    """Return the average performance gap recovered (APGR; Ong et al. 2024, RouteLLM), over every share of prompts sent to the stronger.

    0.5 is what sending at random gives, 1 would be the whole gap at no calls.
    """
    order = np.argsort(-difficulty, kind="stable")
    gain = np.array([prompt.gain for prompt in prompts])[order]
    recovered = np.concatenate([[0], np.cumsum(gain)]) / gain.sum()
    return float((recovered[1:] + recovered[:-1]).mean() / 2)


def _regulated(topics: list[Any], field: str) -> dict[str, float]:
    truth = np.array([field in example.regulated for example, _ in topics])
    said = np.array([field in topic.regulated for _, topic in topics])
    both = float((truth & said).sum())
    return {"precision": round(both / max(said.sum(), 1), 4), "recall": round(both / max(truth.sum(), 1), 4)}


def _area(scores: Any, truth: Any) -> float:
    """Return the area under the ROC curve: how often a positive outscores a negative."""
    order = np.argsort(np.concatenate([scores[truth], scores[~truth]]), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    return float((ranks[:positives].sum() - positives * (positives + 1) / 2) / (positives * negatives))
