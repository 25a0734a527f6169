"""Where does somebody live: street addresses as written in several countries, boxes and units, postal codes, home towns?"""

import re
from collections.abc import Iterator
from typing import Final

from router.scan.text import HAN, LETTER, UPPER, Detector, Family, Hit, View, pattern

_WORD = rf"{UPPER}[A-Za-z\x80-\xff'\-]+"
_NAME = rf"(?:(?:{_WORD}|[0-9]{{1,3}}(?:st|nd|rd|th)|[NSEW]\.?|de|du|des|de la|del|la|le|di|da|do|der|van|von|den|am|an|im) ){{0,3}}"
_ENGLISH = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Courts|Ct|Square|Sq|Terrace|Terr|Way|Place|Pl|Parkway"
    r"|Pkwy|Close|Crescent|Cres|Circle|Cir|Highway|Hwy|Row|Gardens|Grove|Mews|Quay|Trail|Loop|Alley|Plaza|Pike|Crossing|Hill|Rise)"
)
_ENDING = (
    r"(?:stra(?:ß|ss)e|str\.|weg|allee|platz|gasse|damm|ufer|gade|vej|gatan|gata|vägen|veien|vegen|straat|laan"
    r"|plein|kade|steenweg|katu|kuja|utca|terrasse|stien|dreef|hof)"
)
_APART = r"(?:Stra(?:ß|ss)e|straße|Str\.|Platz|Allee|Weg|tér|út|utca|u\.|terrasse|plads|laan|straat)"
_BEFORE = (
    r"(?:Rue|Avenue|Boulevard|Bd|Place|Chemin|Impasse|Allée|Quai|Route|Cours|Calle|C/|Avenida|Avda|Plaza|Paseo|Carrer|Camino"
    r"|Carretera|Ronda|Via|Viale|Piazza|Corso|Largo|Vicolo|Rua|Travessa|Estrada|Praça|Ulica|ul\.|al\.|Trg|Cesta|Strada)"
)
_STREETS = pattern(
    # English: a number, a name, a street's word.
    rf"\b[0-9]{{1,5}}[A-Za-z]?,? {_NAME}{_WORD} {_ENGLISH}\b"
    # German, Dutch, Nordic: a word that ends as streets do, and the number.
    rf"|\b{_NAME}{UPPER}[A-Za-z\x80-\xff\-]+{_ENDING},? (?:Nr\.? ?)?[0-9]{{1,4}}[a-z]?\b"
    rf"|\b{_NAME}{_WORD} {_APART},? [0-9]{{1,4}}[a-z]?\b"
    # Romance and Slavic: the street's word, the name, the number; or the number first.
    rf"|\b{_BEFORE} {_NAME}{_WORD},? (?:n\.?(?:º|°|o)? ?)?[0-9]{{1,4}}\b"
    rf"|\b[0-9]{{1,5}}(?: bis| ter)?,? (?i:{_BEFORE}) {_NAME}{_WORD}"
    rf"|{HAN}{{2,8}}(?:路|街|大道|巷|弄) ?[0-9]{{1,5}} ?号"
)
_UNIT = r"(?i:(?:apt|apartment|suite|ste|unit|flat|appt)\.? #?[0-9]{1,5}[a-z]?)"
_BOXES = pattern(
    rf"\b(?:{_UNIT}|(?i:p\.? ?o\.? box) [0-9]{{1,6}}|(?:PSC|CMR|Unit) [0-9]{{3,5}},? Box [0-9]{{2,6}}|(?:APO|FPO|DPO) "
    rf"(?:AA|AE|AP) [0-9]{{5}}"
    rf"|[A-Z][a-z]+,? [A-Z]{{2}},? [0-9]{{5}}(?:-[0-9]{{4}})?)\b"
)
_ANNOUNCED = pattern(
    r"(?i)\b(?:(?:my|his|her|their|our|home|mailing|billing|shipping|street|new|postal|primary|secondary|your|the)"
    r" (?:[a-z]+ ){0,2}address(?:es)?(?: of [^\n.;?!]+?)?(?: is|:| to the same:| to| with| as| =)"
    r"|(?:i|we|he|she|they)(?:'ll| will)? (?:currently )?(?:lives?|living|resides?|moved|stay|meet you)(?: now)? (?:at|to)"
    r"|(?:located|residing|living|lives|be sent|delivered|shipped|drops? (?:you|me) off)(?: to)? (?:at|to)"
    r"|address\? (?:it is|it's|it's in)|wohne in der|wohnhaft in|adresse(?: ist|:)|habite (?:au|à)|vivo en|dirección(?: es|:)"
    r"|住在|地址(?:是|:)) {0,2}([0-9A-Za-z\x80-\xff][^\n;?!]{4}[^\n;?!]*)"
)
_POSTAL = pattern(
    r"(?i)\b(my |your |meine? |mon |mi )?(?:zip(?: ?code)?|post(?:al)? ?code|postleitzahl|plz|code postal|código "
    r"postal)(?: is|:|=| ist)? {0,2}([A-Z0-9][A-Z0-9 \-]{2,9}[A-Z0-9])\b"
)
_HOME = pattern(
    r"\b(?i:(?:i'm|i am|he is|she is|he's|she's|we're|they're) (?:originally )?from|originally from"
    r"|(?:i|we|he|she|they|friend|family) (?:live|lives|lived|grew up|was born|were born) in|(?:moved|came) here from"
    rf"|who (?:grew up|was born|lives) in|born and raised in) ({_WORD}(?: {_WORD}){{0,2}})"
)
_DIGIT = re.compile(rb"[0-9]")


def find_streets(view: View) -> Iterator[Hit]:
    """Yield street addresses by their shape."""
    for found in view.each(_STREETS):
        yield Hit(found.start(), found.end(), "LOCATION", "pii", 0.6, "shape")


def find_boxes(view: View) -> Iterator[Hit]:
    """Yield flats, suites, post boxes, and the line of town, state and postal code."""
    for found in view.each(_BOXES):
        yield Hit(found.start(), found.end(), "LOCATION", "pii", 0.55, "shape")


def find_addresses(view: View) -> Iterator[Hit]:
    """Yield what a sentence calls somebody's address, home or postal code."""
    for found in view.each(_ANNOUNCED):
        if _DIGIT.search(found.group(1)):
            yield Hit(found.start(1), found.end(1), "LOCATION", "pii", 0.7, "cue")
    for found in view.each(_POSTAL):
        if _DIGIT.search(found.group(2)):
            yield Hit(found.start(2), found.end(2), "LOCATION", "pii", 0.6 if found.group(1) else 0.4, "cue")
    for found in view.each(_HOME):
        yield Hit(found.start(1), found.end(1), "LOCATION", "pii", 0.5, "cue")


FAMILY: Final = Family(
    (
        Detector(
            find_streets,
            rf"[0-9][A-Za-z]?,? (?:{UPPER}|[0-9]|bis|ter|(?i:{_BEFORE}))|{LETTER}\.?,? (?:Nr\.? ?)?[0-9]|\b{_BEFORE} {LETTER}|号".encode(),
        ),
        Detector(
            find_boxes, rb"(?i)\b(?:apt|apartment|suite|ste|unit|flat|appt|box|apo|fpo|dpo)\b|[A-Z]{2},? [0-9]{5}"
        ),
        Detector(
            find_addresses,
            (
                "(?i)addres|liv(?:es?|ing|ed) |resid|moved|located|sent|deliver|shipp|drops? |meet|zip|post|plz|from "
                "|born|grew|wohn|habite|vivo|direcci|código|code postal|stay|住在|地址"
            ).encode(),
        ),
    )
)
