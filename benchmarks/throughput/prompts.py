"""What is asked? Plain words, exactly as many tokens as wanted, none like another: no prefix cache helps, no detector is alarmed.

The router reads these prompts as it reads any other. They begin differently, so that no cached block is of use, and end in a question:
bare words pass for orders now and then ("book table"), which the starter bundle would lay before a person.
"""

import random
from collections import Counter
from pathlib import Path
from typing import Final

from router.errors import RouterError

_PLAIN: Final = (
    "apple autumn basket beach bicycle bird boat bottle branch bread bridge brush bucket butter cabin "
    "candle canvas carpet castle ceiling chair cheese cherry circle clock cloud coast coffee colour copper corner cotton "
    "cousin curtain desert distance eagle engine evening feather fence field flower forest fountain fruit garden "
    "glass grain green harbour hill honey horse island jacket kettle kitchen ladder lake lamp lantern leaf lemon "
    "library meadow melody moon morning mountain needle night north ocean olive orange "
    "piano pillow planet plate pocket pond potato puzzle quilt rabbit rain ribbon river road roof room rope round sail "
    "salt sand school shadow sheep shelf shell shore silver sister sky snow soap song south spoon spring square "
    "stable stair star stone storm story stove street sugar summer tailor teacher thread tower town "
    "tree trumpet tunnel valley village violin wagon wall wheat wheel willow wind window winter wood wool yellow"
)
_WORDS: Final = tuple(_PLAIN.split())


_FEWEST_WORDS: Final = 32
_CLOSING: Final = ". What is the story about?"


class WordsUnknown(RouterError):
    """The model's tokenizer has too few plain words of one token each to write prompts of a set length."""

    code = "words_unknown"


class Prompter:
    """Writes prompts of a set number of tokens for one model, by its own tokenizer."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

        def ids_after(text: str, more: str) -> tuple[int, ...]:
            """Return the tokens that `more` adds to a text: alone, many tokenizers give a word another form."""
            known, both = (tokenizer.encode(one, add_special_tokens=False).ids for one in (text, text + more))
            return tuple(both[len(known) :])

        def single(before: str, gap: str) -> tuple[str, ...]:
            """Return the words that are one token there. A token of several words is the one for what is not known."""
            read = {word: ids_after(before, gap + word) for word in _WORDS}
            times = Counter(read.values())
            return tuple(word for word, ids in read.items() if len(ids) == 1 and times[ids] == 1)

        self._first, self._words = single("\n", ""), single("of", " ")
        if min(len(self._first), len(self._words)) < _FEWEST_WORDS:
            raise WordsUnknown(
                f"{folder}: too few of {len(_WORDS)} plain words are one token each to write prompts with"
            )
        self._closing_tokens = len(ids_after("of", _CLOSING))

    @property
    def fewest_tokens(self) -> int:
        """How short a prompt can be."""
        return self._closing_tokens + 1

    def prompt(self, tokens: int, seed: str) -> str:
        """Return a text of so many tokens, or of the fewest that can be; the same seed gives the same text."""
        chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        more = chance.choices(self._words, k=max(0, tokens - self._closing_tokens - 1))
        return " ".join([chance.choice(self._first), *more]) + _CLOSING
