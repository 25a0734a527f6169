"""What generalises? The attack head, fitted without one family of sources and asked about it; the threshold flags 1% of everyday texts."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.training.linear import Design, loudest
from benchmarks.training.linears import alarm_rows, alarm_targets, fit_kept, held_out_scores, recall_at
from benchmarks.training.risks import Risk
from router.classify.features import Vocabulary

FAMILIES: Final = ("inthewild", "sysprompt_extraction", "whois_injection", "semantic-router")


def across_sources(design: Design, vocabulary: Vocabulary, risks: Sequence[Risk]) -> dict[str, dict[str, float]]:
    """Return for each family of attacks its recall, by a head that saw the others and our phrasings, and by one that saw ours alone."""
    matrix, owners = design.matrix([alarm_rows(vocabulary, risk.text) for risk in risks], whole=False)
    wanted, weights = alarm_targets(risks, "attack")
    own = np.array([risk.own for risk in risks])
    everyday = ~own & np.array([risk.kind == "benign" for risk in risks])
    held_out = held_out_scores(matrix, owners, wanted, weights, risks, "attack")
    _, threshold = recall_at(held_out, wanted & ~own, everyday)
    alone = loudest(fit_kept(matrix, owners, wanted, weights * (own | ~wanted), "attack"), matrix, owners)
    table: dict[str, dict[str, float]] = {}
    for family in FAMILIES:
        of_it = wanted & ~own & np.array([family in risk.source for risk in risks])
        without = loudest(fit_kept(matrix, owners, wanted, weights * ~of_it, "attack"), matrix, owners)
        table[family] = {
            "prompts": int(of_it.sum()),
            "by the others and our phrasings": round(float((without[of_it] > threshold).mean()), 3),
            "by our phrasings alone": round(float((alone[of_it] > threshold).mean()), 3),
            "held out by folds": round(float((held_out[of_it] > threshold).mean()), 3),
        }
    return table
