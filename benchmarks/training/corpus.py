"""What are the heads trained on? CLINC150, this project's own examples, and RouteLLM's prompts as requests that CLINC150 does not know."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REGULATED = ("employment", "finance", "health", "legal")
OUT_OF_SCOPE = "out_of_scope"
EXTRA_INTENTS: dict[str, dict[str, Any]] = {
    "refund_policy": {"domain": "support", "state_changing": False, "regulated": []},
    "refund_request": {"domain": "support", "state_changing": True, "regulated": []},
}
_FIELD_OF_SOURCE = {
    "health": (
        "anatomy",
        "clinical_knowledge",
        "college_medicine",
        "professional_medicine",
        "nutrition",
        "virology",
        "medical_genetics",
        "human_aging",
    ),
    "legal": ("professional_law", "international_law", "jurisprudence"),
    "finance": ("professional_accounting", "econometrics", "high_school_macroeconomics", "high_school_microeconomics"),
}
_HELD_BACK = 5
"""Every fifth RouteLLM prompt is kept for judging."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its intent, its regulated fields, and for RouteLLM's prompts whether the stronger and the weaker model got it right."""

    text: str
    intent: str
    regulated: tuple[str, ...]
    stronger: bool = False
    weaker: bool = False
    subject: str = ""

    @property
    def gain(self) -> int:
        """What the stronger model would have won: 1, 0, or -1 where the weaker one alone got it right."""
        return int(self.stronger) - int(self.weaker)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What to fit on, what to judge on, and what follows from each intent. `lessons` are CLINC150's and what is out of its scope."""

    train: tuple[Example, ...]
    lessons: tuple[Example, ...]
    judge: tuple[Example, ...]
    judge_prompts: tuple[Example, ...]
    prompts: tuple[Example, ...]
    facts: dict[str, dict[str, Any]]


def read_corpus(shared: Path) -> Corpus:
    """Read the corpus from the shared data folder and this package's examples."""
    clinc = json.loads((shared / "routing/clinc150_dev.json").read_text("utf-8"))
    labels = json.loads((shared / "routing/intent_policy_labels.json").read_text("utf-8"))["intents"]
    facts = {name: _facts(row) for name, row in sorted(labels.items())} | EXTRA_INTENTS  # The order is the heads'.
    own = own_examples()
    prompts = read_prompts(shared)
    kept = [example for index, example in enumerate(prompts) if index % _HELD_BACK]
    held = [example for index, example in enumerate(prompts) if not index % _HELD_BACK]

    def known(rows: list[list[str]]) -> list[Example]:
        return [Example(text, intent, tuple(facts[intent]["regulated"])) for text, intent in rows]

    def unknown(rows: list[list[str]]) -> list[Example]:
        return [Example(text, OUT_OF_SCOPE, ()) for text, _ in rows]

    few = unknown(clinc["oos_train"])
    # A hundred queries against fifteen thousand: shown three times; long prompts are many and easy to tell.
    train = [*known(clinc["train"]), *few * 3, *own * 3, *kept[:1500]]  # Already in random order.
    lessons = [*known(clinc["train"]), *few * 3, *[example for example in own if example.intent == OUT_OF_SCOPE] * 2]
    return Corpus(
        tuple(train),
        tuple(lessons),
        (*known(clinc["val"]), *unknown(clinc["oos_val"])),
        tuple(held),
        tuple(kept),
        facts,
    )


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    field = {"medical": "health", "none": None}.get(row["risk_domain"], row["risk_domain"])
    return {"domain": row["domain"], "state_changing": row["state_changing"], "regulated": [field] if field else []}


def own_examples() -> list[Example]:
    """Return this project's own examples: two support intents, and everyday requests that are out of scope."""
    lines = (Path(__file__).parent / "examples.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines if line and not line.startswith("#")]
    return [Example(text, intent, ()) for intent, text in rows]


def read_prompts(shared: Path) -> list[Example]:
    """Return RouteLLM's prompts with their regulated field and whether only the stronger model got them right."""
    csv.field_size_limit(1 << 30)
    with (shared / "routing/model_results_dev.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    fields = {f"mmlu/{source}": (field,) for field, sources in _FIELD_OF_SOURCE.items() for source in sources}

    def right(value: str) -> bool:
        return value.strip().lower() in {"true", "1", "1.0"}

    examples = [
        Example(
            row["prompt"],
            OUT_OF_SCOPE,
            fields.get(row["source"], ()),
            stronger=right(row["gpt_4_correct"]),
            weaker=right(row["mixtral_8x7b_correct"]),
            subject=row["source"],
        )
        for row in rows
    ]
    # By hash: the file is sorted by source.
    return sorted(examples, key=lambda example: hashlib.sha256(example.text.encode()).digest())
