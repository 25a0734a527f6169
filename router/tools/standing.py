"""Does each value that a model put into a tool's arguments stand in the caller's own text? What does not was invented, and is refused.

A model that is held to a schema has to write something, and then writes an identifier of the right form that nobody named. The form
can't tell; the text can.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from router.bundle.files import ToolFile
from router.errors import ToolArgumentsInvalid
from router.exact import canonical_json, parse_json
from router.tools.check import checked_arguments

_NUMBER: Final = re.compile(r"(?<!\w)(?<!\w[-./:])-?[0-9][0-9,]*(?:\.[0-9]+)?(?!\w)(?![-/:.][0-9])")
_VALUE_CHARACTERS: Final = 2_000
_NOT_SAID: Final = "it does not stand in the caller's text"


@dataclass(frozen=True)
class _Text:
    """The caller's text, read so that case, widths and line breaks make no difference."""

    text: str

    @cached_property
    def plain(self) -> str:
        return _plain(self.text)

    @cached_property
    def numbers(self) -> frozenset[Decimal]:
        return frozenset(Decimal(found[0].replace(",", "")) for found in _NUMBER.finditer(self.plain))

    def says(self, value: str) -> bool:
        """Whether the value stands there whole: `TCK-104` is not said by `TCK-1042`, nor by `TCK-104-2`."""
        wanted = _plain(value)
        if not wanted or len(wanted) > _VALUE_CHARACTERS:
            return False
        return (
            re.search(rf"(?<!\w)(?<!\w[-./@:+]){re.escape(wanted)}(?!\w)(?![-./@:+]\w)", self.plain, re.UNICODE)
            is not None
        )


def said_arguments(tool: ToolFile, arguments_json: str, text: str) -> str:
    """Return a model's arguments in their canonical text once they keep the tool's parameters and every value stands in `text`.

    An argument that the tool can do without is left out where it does not stand there. Raises `ToolArgumentsInvalid`, which names places
    and never a value.
    """
    found = parse_json(checked_arguments(tool, arguments_json))
    said = _Text(text)
    required = tool.parameters.get("required")
    needed = set(required) if isinstance(required, list) else set()
    breaches = {name: list(_invented(value, _part(tool.parameters, name), said)) for name, value in found.items()}
    errors = [
        f"at /{'/'.join((name, *at))}: {_NOT_SAID}" for name in breaches if name in needed for at in breaches[name]
    ]
    if errors:
        raise ToolArgumentsInvalid(tool.name, tuple(errors))
    kept = {name: value for name, value in found.items() if not breaches[name]}
    return checked_arguments(tool, canonical_json(kept))


def _invented(value: Any, schema: Any, said: _Text) -> Iterator[tuple[str, ...]]:
    """Yield the places of what the text does not say. What the schema itself fixes is nobody's invention; a yes or no is no quotation."""
    fixed = isinstance(schema, Mapping) and ("const" in schema or schema.get("enum") == [value])
    match value:
        case _ if fixed:
            return
        case None:
            return
        case bool():
            yield ()
        case str():
            if not said.says(value):
                yield ()
        case int() | float():
            if Decimal(str(value)) not in said.numbers:
                yield ()
        case list():
            for at, item in enumerate(value):
                yield from ((str(at), *more) for more in _invented(item, _items(schema), said))
        case _:
            for name, item in value.items():
                known = _part(schema, name)
                if known is None and not said.says(name):
                    yield (name,)
                yield from ((name, *more) for more in _invented(item, known, said))


def _part(schema: Any, name: str) -> Any:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties.get(name) if isinstance(properties, Mapping) else None


def _items(schema: Any) -> Any:
    return schema.get("items") if isinstance(schema, Mapping) else None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
