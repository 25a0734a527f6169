"""What do the words alone say: which regulated field is touched, what kind of work is it, is it a batch, is it English?

Small lexicons, English only, beside the trained heads: for the requests that the training data does not know.
"""

from functools import cache
from pathlib import Path
from typing import Final, Literal

import re2

_LEXICONS: Final = Path(__file__).parent / "lexicons"
_TOPICS: Final = _LEXICONS / "topics"
Family = Literal["question", "writing", "coding", "extraction", "action"]

_CODING: Final = frozenset(
    b"python javascript typescript java rust golang sql regex bash powershell kubernetes dockerfile"
    b" html css react numpy pandas stacktrace traceback"
    b" compile compiler refactor async json yaml api endpoint recursion git github linux unittest"
    b" unittests debugger segfault typeerror nullpointerexception"
    b" algorithm leetcode haskell scala kotlin swift php perl django flask nodejs npm pip cmake"
    b" makefile terraform ansible graphql postgres mysql".split()
)
_CODE_HINT: Final = re2.compile(
    r"```|\bdef [a-z_]+\(|\bclass [A-Z]\w*[:({]|\bfunction ?\w*\(|#include|\bSELECT\b.{1,200}\bFROM\b"
    r"|=>|;\n|\bimport [a-z]+\n|\bC(?:\+\+|#)|</[a-z]+>|\b(?:this|my|the) (?:code|function|script"
    r"|program|unit tests?|class method)\b"
)
_EXTRACTION: Final = re2.compile(
    r"(?i)\b(?:extract|pull out|parse|fill in|identify all|list all (?:the )?[a-z]+ (?:mentioned"
    r"|in the)|(?:convert|turn|put|format) [^.\n]{1,80}(?:json|csv|table|xml|yaml)|as json|to json"
    r"|into json|structured data|key[- ]value)\b"
)
_WRITING: Final = re2.compile(
    r"(?i)^\W*(?:(?:please|can you|could you|help me|i need you to|i want you to|would you) )*(?:write"
    r"|draft|compose|rewrite|rephrase|paraphrase|proofread|edit|summari[sz]e|shorten|expand|polish"
    r"|translate|outline|brainstorm|reply|respond|create an? (?:outline|story|poem|post|slogan"
    r"|speech|email|letter|essay)|make (?:this|it) (?:sound|shorter|longer|more|less))\b"
)


def family(text: str, words: list[bytes], *, command: bool) -> Family:
    """Name the kind of work that no trained intent knows: extraction, code, writing or action where words say so, else a question."""
    if not _CODING.isdisjoint(words) or _CODE_HINT.search(text):
        return "extraction" if _EXTRACTION.search(text) and "```" not in text else "coding"
    if _EXTRACTION.search(text):
        return "extraction"
    if _WRITING.search(text):
        return "writing"
    return "action" if command else "question"


_BATCH: Final = re2.compile(
    r"(?i)\b(?:for each of the (?:following|below|[0-9]+)|each of the (?:following|[0-9]+) (?:\w+ )?(?:items"
    r"|rows|records|lines|reviews|tickets|documents|entries|texts)|(?:process|classify|label|translate"
    r"|summari[sz]e|score) (?:all|each|every|these [0-9]+)\b"
    r"|batch (?:job|of|process)|every (?:row|line|record) (?:of|in)|one (?:result|answer|json object"
    r"|line) per (?:line|row|item)|overnight)"
)
_BATCH_LINES: Final = 40
_READ_FOR_BATCH: Final = 4000


def looks_batch(text: str) -> bool:
    """Guess whether nobody waits for the answer: it says so, or it is a list of records rather than a message."""
    head = text[:_READ_FOR_BATCH]
    if _BATCH.search(head):
        return True
    lines = [line for line in head.split("\n") if line]
    if len(lines) < _BATCH_LINES // 2:
        return False
    records = sum(line.startswith("{") and line.rstrip(",").endswith("}") for line in lines)
    return records * 2 > len(lines)


@cache
def _topic_words() -> dict[bytes, str]:
    """Return the regulated field of each word of the topic lexicons."""
    return {
        word.encode(): path.stem
        for path in sorted(_TOPICS.glob("*.txt"))
        for line in path.read_text("utf-8").splitlines()
        if not line.startswith("#")
        for word in line.split()
    }


def regulated_words(words: list[bytes]) -> set[str]:
    """Return the regulated fields that the words name."""
    fields = _topic_words()
    return {fields[word] for word in fields.keys() & set(words)}


_FEW_FOREIGN: Final = 2


def unread(text: str, words: list[bytes]) -> bool:
    """Whether the heads, which know English alone, can't have read a text: another script, or more little words of another language."""
    if not text.isascii() and sum(char.isalpha() and not _is_latin(char) for char in text) > len(b"".join(words)) / 2:
        return True
    foreign, english = _little_words("foreign"), _little_words("english")
    strange = sum(word in foreign for word in words)
    return strange >= _FEW_FOREIGN and strange > sum(word in english for word in words)


def _is_latin(char: str) -> bool:
    return char < "\u0250" or "\u1e00" <= char <= "\u1eff" or "\uff21" <= char <= "\uff5a"


@cache
def _little_words(language: str) -> frozenset[bytes]:
    lines = (_LEXICONS / f"{language}.txt").read_text("utf-8").splitlines()
    return frozenset(word.encode() for line in lines if not line.startswith("#") for word in line.split())
