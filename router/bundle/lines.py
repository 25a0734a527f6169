"""What does this YAML file say, and on which line is each thing said? Strict: a key given twice is an error, `on` and `no` are words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

Path = tuple[str | int, ...]


class YamlProblem(Exception):
    """The file is no YAML, or says something twice."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value, and the line (from 1) on which each part of it begins, by its path of keys and indices."""

    value: object
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Return the line of a part, or of the nearest part around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.lines.get((), 1)


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's core: `true` and `false` are booleans; `on`, `no` (Norway), dates and 1:30 are plain words."""


_KEPT: Final = frozenset({"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"})
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9][0-9_]*$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)


def read_yaml(text: str) -> Document:
    """Read one YAML document. Raises `YamlProblem` with the line of what is wrong."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        lines: dict[Path, int] = {}
        if root is None:
            return Document(None, lines)
        _walk(root, (), lines)
        value: object = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlProblem(mark.line + 1 if mark else 1, str(error.problem or error.context)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlProblem(1, str(error)) from error
    finally:
        loader.dispose()
    return Document(value, lines)


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    """Note the line of every part below a node; refuse a key given twice."""
    if path not in lines:
        lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in lines:
                raise YamlProblem(
                    key.start_mark.line + 1, f"the key `{key.value}` is given twice (first on line {lines[here]})"
                )
            lines[here] = key.start_mark.line + 1
            _walk(value, here, lines)
