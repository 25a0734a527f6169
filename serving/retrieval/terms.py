"""Which terms does a text have for BM25? Lower-cased words without the commonest, a plural taken for its singular."""

import re
from typing import Final

_WORD: Final = re.compile(r"\w\w+")
_COMMON: Final = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be between among by can did do does for from has have how in is it its may of on or should than that"
        " the their there these this to was were what when where which who why will with would",
    )
)


def terms_of(text: str) -> list[str]:
    """Return a text's terms in order. The same for passages and questions."""
    return [_singular(word) for word in _WORD.findall(text.casefold()) if word not in _COMMON]


def _singular(word: str) -> str:
    """Return an English plural's singular by its ending (Harman's S-stemmer, "How effective is suffixing?", 1991)."""
    if len(word) > 4 and word.endswith("ies") and not word.endswith(("eies", "aies")):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
