"""Who is named here: behind an introduction, a role or a title, or by a given name and a surname in running text?

A public person in a public role is not personal data by itself, and a name alone does not tell who is public. So a name in running text is
listed; `scan` raises it where something private stands beside it (an address, an account, a condition).
"""

from collections.abc import Iterator
from typing import Final

from router.scan.lexicon import words
from router.scan.text import HAN, LETTER, UPPER, Detector, Family, Hit, View, pattern

_NAME = rf"{UPPER}[A-Za-z\x80-\xff'\-]+"
_PARTICLE = r"(?:[A-Z]\.|van|von|der|de|da|di|del|la|bin|al|el|dos|du|zu|van der|von der|de la)"
_FULL = rf"{_NAME}(?: {_PARTICLE})?(?: {_NAME}){{0,3}}"
_BOTH = rf"{_NAME}(?: {_PARTICLE})?(?: {_NAME}){{1,3}}"
_INTRODUCED = pattern(
    r"\b(?i:my (?:full |legal |maiden |middle |last |first )?name(?:'s| is|:)|(?:his|her|their|patient|customer|client|employee"
    r"|applicant|partner|husband|wife)'?s? name(?:'s| is|:)?|everyone calls me|named (?:him|her)|(?:was|is|were) called"
    r"|(?:they|you can|people) call me|this is|signed,?|sincerely,?|regards,?|full name:?|patient name:?|name:|i'm "
    r"called|account holder:?"
    r"|cardholder:?|under the name(?: of)?|in the name of|registered to|on behalf of|follow up with|(?:it's|is) under|under my \w+'s name"
    r"|(?:son|daughter|kid|child|baby),? named|mein name ist|ich hei(?:ß|ss)e|je m'appelle|mon nom est|me llamo"
    rf"|mi nombre es|se llama|s'appelle|hei(?:ß|ss)t) {{1,2}}({_FULL})"
)
_ROLE = pattern(
    r"\b(?:[Pp]atient|employee|client|customer|applicant|tenant|claimant|plaintiff|defendant|candidate|Patientin|Mandant|Kunde|paciente"
    r"|(?:[Mm]y|[Oo]ur|[Hh]is|[Hh]er) (?:[a-z]{1,12} )?(?:wife|husband|son|daughter|kid|child|mother|father|mom|mum|dad|brother|sister"
    r"|boss|manager|colleague|coworker|neighbou?r|partner|girlfriend|boyfriend|friend|doctor|landlord|lawyer|nephew"
    r"|niece|cousin|uncle|aunt)"
    r"|[Mm]eine? (?:Frau|Mann|Sohn|Tochter|Mutter|Vater|Bruder|Schwester|Chef|Chefin|Kollege|Kollegin|Nachbar|Nachbarin|Freund|Freundin)"
    r"|[Mm](?:on|a) (?:femme|mari|fils|fille|mère|père|frère|sœur|patron|collègue|voisin|voisine|ami|amie)"
    r"|[Mm]i (?:esposa|mujer|marido|esposo|hijo|hija|madre|padre|hermano|hermana|jefe|jefa|vecino|vecina|amigo|amiga)"
    rf"|(?:add|remove|invite)),? ({_FULL})"
)
_TITLED = pattern(
    rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Herr|Herrn|Frau|Señor|Señora|Sr|Sra|Don|Doña|Monsieur|Madame|Mme|Mlle|Prof)\b\.? ({_FULL})"
)
_SPOKEN = pattern(rf"\b(?:I am|I'm|i am|i'm|Dear|Hi|Hello|Hallo|Bonjour|Hola),? ({_BOTH})\b")
_SURNAMES = "|".join("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕")
_CHINESE = pattern(
    r"(?:我叫|我的名字是|我姓名|姓名(?::|是)|患者|病人|联系人:?|客户|员工)"
    rf"((?:{_SURNAMES}){HAN}{{1,2}})"
)
_NO_NAME: Final = frozenset(
    b"I The This That It We You He She They A An In On At My Your Our What When Where Why How Is Are Was Can Could Please Monday Tuesday"
    b" Wednesday Thursday Friday Saturday Sunday January February March April May June July August September October November December"
    b" English French German Spanish American British Team All Sir Madam Everyone There World Not And But Or If So "
    b"Yes No Ok Here One".split()
)
_ANNOUNCED: Final = ((_INTRODUCED, 0.8), (_ROLE, 0.75), (_TITLED, 0.6), (_SPOKEN, 0.6), (_CHINESE, 0.75))
"""Who introduces themselves is that person, however well known the name; a title or a role may stand before a public one."""


def find_announced_people(view: View) -> Iterator[Hit]:
    """Yield names that a cue announces: an introduction, a role, a title."""
    for source, score in _ANNOUNCED:
        for found in view.each(source):
            name = found.group(1).removesuffix(b"'s").rstrip(b"'-")
            if name.split(b" ", 1)[0] not in _NO_NAME and not (name.isascii() and name.isupper()):
                sure = min(score, 0.4) if source is _TITLED and _public(name) else score
                yield Hit(found.start(1), found.start(1) + len(name), "PERSON", "pii", sure, "cue")


NAMED: Final = 0.4
"""What a name in running text proves. Beside something else that is private it proves more: `scan` raises it there."""
_SURNAMELESS: Final = frozenset(
    b"Trench River Lake Mount Mountains Island Islands Valley Desert Sea Bay County City State Street Avenue Road "
    b"Park Square University College"
    b" School Church Religion Empire Kingdom Era Revolution War Battle Act Amendment Theorem Law Prize Award House "
    b"Hotel Bank Inc Ltd Museum Day"
    b" Age Union Party Company Institute Hospital Airport Station Bridge Tower Court Commission Committee Foundation "
    b"Orchestra Festival".split()
)
_GIVEN = "|".join(sorted(words("given_names"), key=lambda name: (-len(name), name)))
_PLAIN = pattern(rf"\b(?:{_GIVEN})(?:-(?:{_GIVEN}))?(?: {_PARTICLE}){{0,2}} {_NAME}(?: {_NAME})?")
_ROLE_BEFORE = pattern(
    rb"(?:president|minister|chancellor|senator|governor|king|queen|prince|princess|pope|emperor|saint|st\.|sir|lord"
    rb"|lady|general|author|poet"
    rb"|novelist|writer|composer|painter|artist|philosopher|actor|actress|singer|director|comedian|scientist"
    rb"|physicist|mathematician|economist"
    rb"|psychologist|historian|theorist|justice|judge|player|coach|rapper|band|novel|film|movie|album|song|book|play"
    rb"|poem|painting|theory|work"
    rb"|works|company|founder|ceo|(?:who|where|when|how|what) (?:is|was|did|were|old is))[ ,:]{1,2}(?:by |of |the "
    rb"|like |such as |named |is |was ){0,2}[\"']?$"
)
_ROLE_AFTER = pattern(
    rb"^(?:'s? (?:theory|law|novel|book|film|movie|work|poem|painting|symphony|album|song|model|study|music|plays?|argument)"
    rb"| (?:is|was) (?:a|an|the|one of the) (?:[a-z\-]{1,20} ){0,3}(?:president|comedian|author|writer|poet|singer"
    rb"|actor|actress|politician|player"
    rb"|artist|philosopher|scientist|physicist|composer|painter|director|king|queen|leader|band|musician|economist|novel|company)"
    rb"| (?:university|college|school|airport|street|avenue|foundation|award|prize|museum|stadium|hospital|library"
    rb"|institute|inc|llc|ltd|novel"
    rb"|tribute|biography))"
)


def find_named_people(view: View) -> Iterator[Hit]:
    """Yield a given name with a surname in running text."""
    for found in view.each(_PLAIN):
        start = found.start()
        name = found.group().removesuffix(b"'s").rstrip(b"'-")
        end = start + len(name)
        if not _SURNAMELESS.isdisjoint(name.split()):
            continue
        public = _public(name) or _ROLE_BEFORE.search(view.before_on_line(start)) or _ROLE_AFTER.search(view.after(end))
        yield Hit(start, end, "PERSON", "pii", 0.3 if public else NAMED, "lexicon")


def _public(name: bytes) -> bool:
    """Whether a name is a well-known one; a single word is taken for a private person's."""
    parts = name.decode("utf-8", "replace").split()
    return len(parts) > 1 and not words("public_people").isdisjoint(parts[1:])


_AGE = pattern(
    r"(?i)\b(?:just turned|turned|turning|my age is|age: ?|i'm|i am|he is|he's|she is|she's) ([1-9][0-9])\b(?: years? "
    r"old| yrs? old| ?y/?o\b)?"
    r"|\b([1-9][0-9]{0,2})(?:[ -]years?[ -]olds?(?: [a-z]+){0,2} (?:man|woman|male|female|boy|girl|patient|gentleman|lady)| ?y/?o\b)"
)
_SAID = pattern(rb"(?i)years? old|y/?o|yrs?|turned|age")


def find_ages(view: View) -> Iterator[Hit]:
    """Yield the age of somebody."""
    for found in view.each(_AGE):
        group = 1 if found.group(1) else 2
        if group == 2 or _SAID.search(found.group()):
            yield Hit(found.start(group), found.end(group), "AGE", "pii", 0.5, "cue")


FAMILY: Final = Family(
    (
        Detector(
            find_announced_people,
            rf"(?:name|nombre|nom |call|this is|igned|ncerely|egards|ccount holder|ardholder|registered to|behalf|ollow up with|under"
            rf"|hei(?:ß|ss)[et]|appelle|llam[oa]|atient|mployee|lient|ustomer|pplicant|enant|laimant|laintiff|efendant"
            rf"|andidate|andant|Kunde|paciente"
            rf"|[Mm]y |[Oo]ur |[Hh]is |[Hh]er |[Mm]eine? |[Mm]on |[Mm]a |[Mm]i |add|remove|invite|Mr|Ms|Miss|Mx|Dr|Herr"
            rf"|Frau|Señor|Sra?|Don|Doña"
            rf"|Mons|Mad|Mme|Mlle|Prof|I am|I'm|i am|i'm|Dear|Hi|Hello|Hallo|Bonjour|Hola) ?[^ ]* {{0,2}}{UPPER}"
            rf"|我叫|名字|姓名|患者|病人|联系人|客户|先生|女士|员工".encode(),
        ),
        Detector(find_named_people, rf"{UPPER}{LETTER}+[ \-](?:{UPPER}|[vdlbaez])".encode()),
        Detector(
            find_ages, rb"(?i)[1-9][0-9] ?(?:y/?o\b|[ \-]?year)|turn|\bage|i'm [1-9]|i am [1-9]|he is [1-9]|he's [1-9]"
        ),
    )
)
