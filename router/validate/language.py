"""Which language is this text in? By its letters, then by its commonest words: enough to tell that an answer is in the wrong one.

A text that is too short or fits two languages alike is not told: None. Measured in docs/contracts.md. Written for this project.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Final

from router.bundle.answer_rules import Language

_LEAST_LETTERS: Final = 12
_LEAST_WORDS: Final = 3
_LEAST_HEARD: Final = 2
_LEAST_SHARE: Final = 0.15
_LEAD: Final = 1.3
"""How far the best language must be ahead of the second: Danish and Norwegian, Spanish and Portuguese share words."""
_MOST_CHARACTERS: Final = 20_000

_SCRIPTS: Final[tuple[tuple[str, Language], ...]] = (
    ("HIRAGANA", "ja"), ("KATAKANA", "ja"), ("HANGUL", "ko"), ("CJK", "zh"), ("CYRILLIC", "ru"), ("ARABIC", "ar"),
    ("HEBREW", "he"), ("GREEK", "el"), ("DEVANAGARI", "hi"), ("THAI", "th"),
)  # fmt: skip
_WORDS: Final[dict[Language, str]] = {
    "en": "a i the of and to in is that for it with as was on are be this by at from or have an not which you your we can will has"
    " but if they our their been would there what please more when who its he she his her i my me do does so into then",
    "de": "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie"
    " nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man"
    " wenn wir ihr ihre können ich bitte",
    "fr": "le la les des et en un une du que qui est dans pour sur pas plus par au ce il avec ne se vous nous sont aux cette être"
    " ou mais son sa ses leur fait été ont comme votre je elle tout si deux même ces peut c'est d'un d'une l'on",
    "es": "el la los las de y que en un una es por con para no se del al lo su como más pero sus le ya o este sí porque esta"
    " entre cuando muy sin sobre también me hasta hay donde han quien desde todo nos durante usted puede está son fue",
    "it": "il lo la i gli le di e che in un una è per con non si del della dei da al come più ma anche sono dal nel alla ha"
    " questo quella se essere o delle ci questa suo può loro molto perché quando dopo ogni nella ai stato era mi vi dell'",
    "pt": "o a os as de e que em um uma é por com para não se do da dos das no na ao como mais mas foi seu sua ou ser quando"
    " muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter seus você são pode",
    "nl": "de het een en van in is dat op te zijn met voor niet aan er om ook als maar dan bij nog uit naar heeft ze wordt door"
    " over ik je hij zij wat worden was deze kunnen of hebben tot uw geen meer moet wij kan dit die al veel",
    "sv": "och att det som en på är av för med den till inte ett om har de jag var så från vi du kan när man eller nu efter vid"
    " hade också än blir denna ska deras hon han mycket bara mot under men mig sig vad alla",
    "da": "og at det som en på er af for med den til ikke et om har de jeg var så fra vi du kan når man eller nu efter ved havde"
    " også end bliver denne skal deres hun han meget kun mod under men mig sig hvad alle hvis efter være blev",
    "no": "og at det som en på er av for med den til ikke et om har de jeg var så fra vi du kan når man eller nå etter ved hadde"
    " også enn blir denne skal deres hun han mye bare mot under men meg seg hva alle hvis være ble noe",
    "fi": "ja on ei että se hän oli ovat joka kun niin mutta myös kuin tai sen en sitä mitä jos olla ole vain nyt voi tämä hyvin"
    " sekä minä sinä he ne me te mukaan jälkeen kanssa ennen koska siitä tämän",
    "pl": "i w na nie się z do to że jest o jak ale za co po tak od przez dla czy już był są może tylko jego ich ma być oraz lub"
    " który która które ze tego tym przy bez można jej pod",
    "tr": "ve bir bu da de için ile olarak daha çok gibi ne var kadar olan en ama değil ya sonra mi her ben sen o biz siz onlar"
    " şey göre ise veya çünkü bunu olduğu yok",
}  # fmt: skip
_ADDRESS: Final = re.compile(r"https?://\S+|\S+@\S+")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def language_of(text: str) -> Language | None:
    """Return the language of a text, or None where it can't be told."""
    text = _ADDRESS.sub(" ", text[:_MOST_CHARACTERS])
    letters = [character for character in text if character.isalpha()]
    if by_script := _by_script(letters):
        return by_script
    words = [word.replace("\u2019", "'") for word in _WORD.findall(text.lower())]
    if len(letters) < _LEAST_LETTERS or len(words) < _LEAST_WORDS:
        return None
    return _by_words(words)


def _by_script(letters: list[str]) -> Language | None:
    """Return the language whose script alone makes up half of the letters. A character of Chinese says as much as a short word."""
    counted = Counter(_script_of(letter) for letter in letters if ord(letter) > 0x24F)
    if not counted or sum(counted.values()) * 2 < len(letters) or len(letters) < _LEAST_WORDS:
        return None
    counted.pop(None, None)
    # Japanese writes Chinese characters too, and no other language writes kana.
    if counted["ja"] * 10 >= counted["zh"] and counted["ja"]:
        return "ja"
    return counted.most_common(1)[0][0] if counted else None


@lru_cache(maxsize=4096)
def _script_of(letter: str) -> Language | None:
    name = unicodedata.name(letter, "")
    return next((language for script, language in _SCRIPTS if name.startswith(script)), None)


_COMMON: Final[dict[Language, frozenset[str]]] = {
    language: frozenset(words.split()) for language, words in _WORDS.items()
}
_SHARED: Final = Counter(word for words in _COMMON.values() for word in words)


def _by_words(words: list[str]) -> Language | None:
    """Weigh each common word by how few languages have it; one word alone, or a few among many strange ones, tell nothing."""
    scores: dict[Language, float] = {}
    for language, common in _COMMON.items():
        heard = [word for word in words if word in common]
        if len(set(heard)) >= _LEAST_HEARD and len(heard) >= _LEAST_SHARE * len(words):
            scores[language] = sum(1 / _SHARED[word] for word in heard)
    ranked = sorted(scores.items(), key=lambda scored: -scored[1])
    if not ranked:
        return None
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    return ranked[0][0] if ranked[0][1] >= _LEAD * second else None
