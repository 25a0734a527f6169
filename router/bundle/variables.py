"""What can a condition in `routes.yaml` or `tiers.yaml` talk about? The names, their types, and the values each can take.

`decide` fills in these variables, `lane bundle check` walks through their values: both use this list and no other.
"""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from router.classify.heads import Alarms
from router.contract import CONCERNS, LEVELS, RISK_TIERS, Label, Mode, RouteRequest, Topic

BUILT_IN_CATEGORIES: Final = ("pii", "health", "payment", "finance", "employment", "legal", "credentials")


class TopicHeads(Protocol):
    """What the bundle holds of the classifier (`router.classify.Heads`); any detector with this shape will do."""

    @property
    def version(self) -> str: ...
    @property
    def intents(self) -> tuple[str, ...]: ...
    @property
    def domains(self) -> tuple[str, ...]: ...
    def topic(self, text: str, mode: Mode | None) -> Topic: ...
    def alarms(self, text: str) -> Alarms: ...


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that conditions may use. `values`: all it can take, where they are few and fixed."""

    name: str
    kind: str
    meaning: str
    values: tuple[object, ...] = ()


VARIABLES: Final[tuple[Variable, ...]] = (
    Variable("level", "string", "sensitivity of everything in the prompt", LEVELS),
    Variable("categories", "list of strings", "kinds of protected data in the prompt"),
    Variable("jurisdictions", "list of strings", "whose law the prompt is under"),
    Variable("stays_private", "bool", "the level is confidential or above, or there is any category"),
    Variable("intent", "string", "what is asked for, as the classifier names it"),
    Variable("domain", "string", "the field it belongs to, as the classifier names it"),
    Variable("confidence", "double", "how sure the classifier is, 0 to 1"),
    Variable("out_of_scope", "bool", "the classifier knows no such request", (False, True)),
    Variable(
        "state_changing", "bool", "it asks for something to be changed, booked, paid, sent or deleted", (False, True)
    ),
    Variable("regulated", "list of strings", "regulated fields it touches as a topic"),
    Variable("attack", "string", "how much it looks like an attack on the model", CONCERNS),
    Variable("harm", "string", "how much it looks like asking for help to do harm", CONCERNS),
    Variable("attack_score", "double", "the alarm behind `attack`, 0 to 1"),
    Variable("harm_score", "double", "the alarm behind `harm`, 0 to 1"),
    Variable("difficulty", "double", "how much a stronger model would help, 0 to 1; 0 where the classifier can't say"),
    Variable("mode", "string", "chat or batch", ("chat", "batch")),
    Variable(
        "words", "string", "the last user message's words in lower case, with one space before, between and after them"
    ),
    Variable(
        "has_number",
        "bool",
        "the user named a number of three digits or more, as orders and tickets have",
        (False, True),
    ),
    Variable("input_tokens", "int", "the prompt's length in tokens, estimated upwards"),
    Variable("has_images", "bool", "the prompt holds an image", (False, True)),
    Variable("wants_json", "bool", "the caller asked for JSON or gave a schema", (False, True)),
    Variable("has_tools", "bool", "the caller brings tools of its own", (False, True)),
    Variable("channel", "string", "web, app or api", ("api", "web", "app")),
    Variable("org", "string", "the tenant"),
    Variable("metadata", "map of strings", 'what the caller sent as metadata; ask `"key" in metadata` first'),
    Variable("risk_tier", "string", "the tier (routes only)", RISK_TIERS),
)
_NUMBER: Final = re.compile(r"[0-9]{3}")
_TO_SPACES: Final = {ord(mark): " " for mark in string.punctuation if mark not in "`_"}
NAMES: Final = frozenset(variable.name for variable in VARIABLES)
TIER_NAMES: Final = NAMES - {"risk_tier"}


def words_of(text: str) -> str:
    """Return a text's words so that `words.contains(" rust ")` finds the word, and not "trust"; code fences stay.

    Rules have `contains` and no pattern: the engine would compile a pattern anew for each request.
    """
    return f" {' '.join(text.lower().replace('```', ' ``` ').translate(_TO_SPACES).split())} "


def stays_private(level: str, categories: Iterable[str]) -> bool:
    """Tell whether a text stays on our own nodes unless a Cedar policy permits exactly that."""
    return level in {"confidential", "restricted"} or any(True for _ in categories)


def variables_of(request: RouteRequest, label: Label, topic: Topic, text: str, input_tokens: int) -> dict[str, object]:
    """Return the variables of one request, all but the alarms' bands and `risk_tier`, which are settled by the bundle."""
    return {
        "level": label.level,
        "categories": list(label.categories),
        "jurisdictions": list(label.jurisdictions),
        "stays_private": stays_private(label.level, label.categories),
        "intent": topic.intent,
        "domain": topic.domain,
        "confidence": topic.confidence,
        "out_of_scope": topic.out_of_scope,
        "state_changing": topic.state_changing,
        "regulated": list(topic.regulated),
        "attack_score": topic.attack.score,
        "harm_score": topic.harm.score,
        # Not known to be hard: it stays where it is cheap, and a rule on difficulty does not error.
        "difficulty": 0.0 if topic.difficulty is None else topic.difficulty,
        "mode": topic.mode,
        "words": words_of(text),
        "has_number": any(
            message.role == "user" and message.origin == "caller" and _NUMBER.search(message.text) is not None
            for message in request.messages
        ),
        "input_tokens": input_tokens,
        "has_images": any(part.type == "image" for message in request.messages for part in message.content),
        "wants_json": request.response_format.type != "text",
        "has_tools": bool(request.client_tools),
        "channel": request.channel,
        "org": request.org,
        "metadata": request.metadata,
    }
