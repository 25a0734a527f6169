"""How good are the heads? Figures on what they were not fitted on: CLINC150's validation part and the prompts held back."""

from typing import Any

import numpy as np

from benchmarks.training.corpus import OUT_OF_SCOPE, REGULATED, Corpus
from router.classify.features import window, words_of
from router.classify.heads import Heads


def judge(heads: Heads, corpus: Corpus) -> dict[str, Any]:
    """Return the scores that the card prints."""
    topics = [(example, heads.topic(example.text)) for example in corpus.judge]
    known = [(example, topic) for example, topic in topics if example.intent != OUT_OF_SCOPE]
    changing = {name for name, row in corpus.facts.items() if row["state_changing"]}
    asked = np.array([example.intent in changing for example, _ in topics])
    said = np.array([topic.state_changing for _, topic in topics])
    return {
        "intent_accuracy": _share(
            not topic.out_of_scope and topic.intent == example.intent for example, topic in known
        ),
        "out_of_scope_recall": _share(
            topic.out_of_scope for example, topic in topics if example.intent == OUT_OF_SCOPE
        ),
        "state_changing_precision": round(float((asked & said).sum() / said.sum()), 4),
        "state_changing_recall": round(float((asked & said).sum() / asked.sum()), 4),
        "regulated": {field: _regulated(topics, field) for field in REGULATED},
        "difficulty_auroc": _difficulty(heads, corpus),
    }


def oos_area(heads: Heads, corpus: Corpus) -> float:
    """Return the area under the ROC curve of "out of scope" on the validation part."""
    known = [1 - heads.read(words_of(window(example.text))).intents[:-1].max() for example in corpus.judge]
    return _area(np.array(known), np.array([example.intent == OUT_OF_SCOPE for example in corpus.judge]))


def _regulated(topics: list[Any], field: str) -> dict[str, float]:
    truth = np.array([field in example.regulated for example, _ in topics])
    said = np.array([field in topic.regulated for _, topic in topics])
    both = float((truth & said).sum())
    return {"precision": round(both / max(said.sum(), 1), 4), "recall": round(both / max(truth.sum(), 1), 4)}


def _difficulty(heads: Heads, corpus: Corpus) -> float:
    scores = np.array([heads.read(words_of(window(example.text))).difficulty for example in corpus.judge_prompts])
    return _area(scores, np.array([bool(example.stronger_needed) for example in corpus.judge_prompts]))


def _area(scores: Any, truth: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return round(float(roc_auc_score(truth, scores)), 4)


def _share(values: Any) -> float:
    return round(float(np.mean(list(values))), 4)
