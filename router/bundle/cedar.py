"""What do the Cedar files say, policy by policy, and on which line does each begin? Errors are told per policy."""

import re
from dataclasses import dataclass
from typing import Final

from cedarpy import Schema, validate_policies

from router.boundary import PolicyText, read_policies
from router.bundle.finding import BundleFinding

_TOKEN: Final = re.compile(
    r'(?P<skip>\s+|//[^\n]*)|(?P<string>"(?:\\.|[^"\\])*")|(?P<end>;)|(?P<other>[^\s";/]+|.)', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy of a file: its text, and the line on which it begins."""

    text: str
    line: int
    policy: PolicyText


@dataclass(frozen=True, slots=True)
class CedarFile:
    """A file's policies that parse, in order."""

    name: str
    statements: tuple[Statement, ...]


def read_cedar(name: str, text: str) -> tuple[CedarFile, list[BundleFinding]]:
    """Split a file into policies and parse each, so that a syntax error names the policy it is in."""
    statements: list[Statement] = []
    findings: list[BundleFinding] = []
    for line, piece in _split(text):
        try:
            policies = read_policies(piece)
        except ValueError as error:
            findings.append(BundleFinding(name, line, f"this policy does not parse: {error}", "mend its Cedar syntax"))
            continue
        for policy in policies:
            statements.append(Statement(piece, line, policy))
            findings.extend(_unnamed(name, line, policy))
    return CedarFile(name, tuple(statements)), findings


def _unnamed(name: str, line: int, policy: PolicyText) -> list[BundleFinding]:
    """A policy that fires must be citable."""
    wanted = {"@id": policy.id, "@reason": policy.reason}
    return [
        BundleFinding(
            name,
            line,
            f"the policy {policy.id or ''} has no {annotation}".replace("  ", " "),
            f'add {annotation}("…") before it',
        )
        for annotation, given in wanted.items()
        if not given
    ]


def _split(text: str) -> list[tuple[int, str]]:
    """Cut at each semicolon that is neither in a string nor in a comment; give each piece its first line."""
    pieces: list[tuple[int, str]] = []
    start: int | None = None
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "skip":
            continue
        if start is None:
            start = token.start()
        if token.lastgroup == "end":
            pieces.append((text.count("\n", 0, start) + 1, text[start : token.end()]))
            start = None
    if start is not None:
        pieces.append((text.count("\n", 0, start) + 1, text[start:]))
    return pieces


def type_errors(files: list[CedarFile], schema: str, schema_file: str) -> list[BundleFinding]:
    """Hold every policy against the schema."""
    try:
        parsed = Schema.from_str(schema)
    except ValueError as error:
        return [BundleFinding(schema_file, _line_of_error(str(error), schema, 1), f"{error}", "mend the Cedar schema")]
    findings = []
    for file in files:
        for statement in file.statements:
            result = validate_policies(statement.text, parsed)
            for mismatch in result.errors:
                said = re.sub(r"for policy `policy\d+`[,:]? ?", "", mismatch.error)
                line = _line_of_error(said, statement.text, statement.line)
                message = f"the policy {statement.policy.id or '(without @id)'} does not fit the schema: {said}"
                findings.append(
                    BundleFinding(file.name, line, message, f"use what {schema_file} declares, or declare it there")
                )
    return findings


def _line_of_error(said: str, text: str, first_line: int) -> int:
    """Find the line that holds what the message quotes; else the first."""
    for quoted in [*re.findall(r"`([^`]+)`", said), *re.findall(r"type: (\w+)", said)]:
        word = re.split(r"\s", quoted)[0]
        at = text.find(word)
        if word and at >= 0:
            return first_line + text.count("\n", 0, at)
    return first_line


def policies_text(files: list[CedarFile]) -> str:
    """All policies as one text, in the order of files and lines."""
    return "\n\n".join(statement.text for file in files for statement in file.statements)
