"""Does our validator agree with the official suite, file by file, and how does the `jsonschema` package do beside it?"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource, Unresolvable
from referencing.jsonschema import DRAFT202012

from benchmarks.contracts.suite import Group
from router.errors import SchemaRefused
from router.exact.parsing import NotJson, parse_json
from router.exact.schema import validator_of

Verdict = Callable[[Group], Callable[[Any], bool | None]]
"""Prepares a group's schema; then says of an instance whether it is valid. None: it could not say."""


@dataclass(frozen=True, slots=True)
class FileAgreement:
    """One file of the suite: its instances, and on how many of them each validator agrees."""

    file: str
    instances: int
    ours: int
    theirs: int


def agreement(found: Sequence[Group], documents: Mapping[str, Any]) -> list[FileAgreement]:
    """Ask both validators about every instance."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for group in found:
        ours, theirs = _ours(group, documents), _jsonschema(group, documents)
        for instance, valid in group.instances:
            row = counted[group.file]
            row[0] += 1
            row[1] += ours(instance) is valid
            row[2] += theirs(instance) is valid
    return [FileAgreement(file, *row) for file, row in counted.items()]


def _ours(group: Group, documents: Mapping[str, Any]) -> Callable[[Any], bool | None]:
    """Judge as an answer is judged: from its text, by our own parser and options."""
    try:
        validator = validator_of(group.schema, formats=group.asserts_formats, documents=documents)
    except SchemaRefused:
        return _cannot_say

    def judge(instance: Any) -> bool | None:
        try:
            return bool(validator.is_valid(parse_json(json.dumps(instance))))
        except NotJson:
            return None

    return judge


def _jsonschema(group: Group, documents: Mapping[str, Any]) -> Callable[[Any], bool | None]:
    def given(uri: str) -> Resource[Any]:
        if uri in documents:
            return Resource.from_contents(documents[uri], default_specification=DRAFT202012)
        raise NoSuchResource(uri)

    checker = Draft202012Validator.FORMAT_CHECKER if group.asserts_formats else None
    # `retrieve` is the attribute that the package documents for this, and its types leave out.
    registry: Registry[Any] = Registry(retrieve=given)  # type: ignore[call-arg]
    validator = Draft202012Validator(group.schema, format_checker=checker, registry=registry)

    def judge(instance: Any) -> bool | None:
        try:
            return bool(validator.is_valid(instance))
        except (Unresolvable, SchemaError, RecursionError, re.error):
            return None

    return judge


def _cannot_say(_instance: Any) -> bool | None:
    return None
