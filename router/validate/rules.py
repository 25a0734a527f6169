"""Does this answer keep to its contract's rules beside the schema: no forbidden field, not too long, in the right language?"""

from collections.abc import Iterator
from typing import Any

from router.bundle.answer_rules import ContractRules, LanguageRule, LengthRule
from router.exact.wording import place
from router.validate.language import language_of

Path = tuple[str | int, ...]


def rule_breaches(rules: ContractRules, value: Any) -> list[str]:
    """Return what an answer breaks: `value` is the parsed JSON, or the text of an answer that is no JSON."""
    found = [] if not rules.forbidden else [broken for path, _ in _parts(value) if (broken := forbidden(rules, path))]
    for length in rules.length:
        found += [broken for path, text in texts_at(value, length.of) if (broken := _length_breach(length, path, text))]
    for language in rules.language:
        found += [
            broken for path, text in texts_at(value, language.of) if (broken := _language_breach(language, path, text))
        ]
    return found


def forbidden(rules: ContractRules, path: Path) -> str | None:
    """Return the breach if the field at this path may not be there."""
    last = path[-1] if path else None
    for field in rules.forbidden if isinstance(last, str) else ():
        if matches(field, path) if field.startswith("/") else field.casefold() == str(last).casefold():
            return f"{place(path)}: this field may not be there"
    return None


def too_long(rules: ContractRules, path: Path, begun: str) -> str | None:
    """Return the breach if a text that has come so far is too long already. The path is empty for an answer that is no JSON."""
    for length in rules.length:
        applies = matches(length.of, path) if length.of is not None else not path
        if applies and length.characters_at_most is not None and len(begun) > length.characters_at_most:
            return f"{place(path)}: expected at most {length.characters_at_most} characters"
    return None


def matches(pattern: str, path: Path) -> bool:
    """Tell whether a place of the rules names this path."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pattern[1:].split("/")]
    return len(steps) == len(path) and all(
        wanted in {"*", str(found)} for wanted, found in zip(steps, path, strict=True)
    )


def texts_at(value: Any, of: str | None) -> Iterator[tuple[Path, str]]:
    """Yield the texts that a rule speaks of, each with its path; without a place, the whole answer as one."""
    if of is not None:
        yield from ((path, part) for path, part in _parts(value) if isinstance(part, str) and matches(of, path))
    elif isinstance(value, str):
        yield (), value
    else:
        yield (), "\n".join(part for _, part in _parts(value) if isinstance(part, str))


def _parts(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value in an answer with its path, itself first."""
    waiting: list[tuple[Path, Any]] = [(path, value)]
    while waiting:
        at, part = waiting.pop()
        yield at, part
        inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        waiting += reversed([((*at, step), one) for step, one in inner])


def _length_breach(rule: LengthRule, path: Path, text: str) -> str | None:
    characters, words = len(text), len(text.split())
    for most, least, has, what in (
        (rule.characters_at_most, rule.characters_at_least, characters, "characters"),
        (rule.words_at_most, rule.words_at_least, words, "words"),
    ):
        if most is not None and has > most:
            return f"{place(path)}: expected at most {most} {what}, has {has}"
        if least is not None and has < least:
            return f"{place(path)}: expected at least {least} {what}, has {has}"
    return None


def _language_breach(rule: LanguageRule, path: Path, text: str) -> str | None:
    found = language_of(text)
    if found is None or found in rule.any_of:
        return None
    return f"{place(path)}: expected a text in {' or '.join(rule.any_of)}, it is in {found}"
