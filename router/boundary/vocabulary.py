"""Which names do the policies know? Those that the schema enumerates; every other one is `unknown`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

UNKNOWN: Final = "unknown"
"""What a name that the schema does not list is called inside Cedar. Nothing is ever cleared for it."""

Json = dict[str, Any]


def enumerated(schema: str, entity: str) -> frozenset[str]:
    """Return the names that a Cedar schema lists for an enumerated entity type; none if it does not enumerate it."""
    listed = re.search(rf"\bentity\s+{entity}\s+enum\s*\[([^\]]*)\]", re.sub(r"//[^\n]*", "", schema))
    return frozenset(re.findall(r'"([^"]*)"', listed[1])) if listed else frozenset()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The categories and jurisdictions that a schema lists."""

    categories: frozenset[str]
    jurisdictions: frozenset[str]

    @classmethod
    def of(cls, schema: str) -> "Vocabulary":
        """Read it from the schema's text."""
        return cls(enumerated(schema, "Category"), enumerated(schema, "Jurisdiction"))

    def held_categories(self, names: Iterable[str]) -> list[Json]:
        """Return what a text holds: a name that is not listed becomes `unknown`, which nothing is cleared for."""
        return _held("Category", names, self.categories)

    def held_jurisdictions(self, names: Iterable[str]) -> list[Json]:
        """Return whose law a text is under, likewise."""
        return _held("Jurisdiction", names, self.jurisdictions)

    def granted_categories(self, names: Iterable[str]) -> list[Json]:
        """Return what a thing is cleared for: a name that is not listed is dropped. Here, unlike in a label, less is safer."""
        return _granted("Category", names, self.categories)

    def granted_jurisdictions(self, names: Iterable[str]) -> list[Json]:
        """Return under whose law a thing runs or rests, likewise."""
        return _granted("Jurisdiction", names, self.jurisdictions)


def _held(kind: str, names: Iterable[str], known: frozenset[str]) -> list[Json]:
    return [reference(kind, name) for name in sorted({name if name in known else UNKNOWN for name in names})]


def _granted(kind: str, names: Iterable[str], known: frozenset[str]) -> list[Json]:
    return [reference(kind, name) for name in sorted(set(names)) if name in known and name != UNKNOWN]


def uid(kind: str, name: str) -> dict[str, str]:
    """Return an entity's name as Cedar's JSON has it."""
    return {"type": kind, "id": name}


def reference(kind: str, name: str) -> Json:
    """Return an entity as an attribute or a context holds it."""
    return {"__entity": uid(kind, name)}
