"""Which identifiers are all digits? The table: how each is grouped, what checks it, which words announce it, what a hit proves.

A structured or long number whose check holds is near certain. A bare run of nine to eleven digits with one check digit passes by chance one
time in ten: without a word that says what it is, it is listed and raises nothing, unless it is written in its customary groups or fills
its line (then nothing speaks against it, and erring towards private is safe). A scheme without any check needs its word.
"""

from dataclasses import dataclass
from typing import Final

from router.scan import checks
from router.scan.checks import Check


@dataclass(frozen=True, slots=True)
class Scheme:
    """An identifier of digits: the groups it is written in, its check, the words that announce it, and what a hit proves.

    `grouped`, `bare` and `alone` are the scores without such a word: in its groups, as one run, and as all that a line holds. A scheme
    whose bare form says next to nothing (below 0.3) gains nothing from standing alone without its groups.
    """

    entity: str
    groups: tuple[tuple[int, ...], ...]
    check: Check | str
    cue: str
    bare: float = 0.4
    grouped: float = 0.6
    alone: float = 0.6
    category: str = "pii"

    @property
    def length(self) -> int:
        """How many digits."""
        return sum(self.groups[0])

    @property
    def sure(self) -> bool:
        """Whether words that say otherwise can be ignored: its check or its structure rarely holds by chance."""
        return self.bare >= 0.8

    def holds(self, digits: str) -> bool:
        """Whether the scheme's check holds. All-equal digits are nobody's number."""
        return len(set(digits)) > 1 and checks.holds(self.check, digits)


_ID: Final = "id|identity|national"
_SSN: Final = ((3, 2, 4), (3, 6), (5, 4))
SCHEMES: Final = (
    Scheme("US_SSN", _SSN, checks.us_ssn, r"ssn|social|soc\.? ?sec", grouped=0.85, alone=0.4),
    Scheme("US_ITIN", _SSN, checks.us_itin, "itin|taxpayer|tax id", grouped=0.8, alone=0.4),
    Scheme("US_EIN", ((2, 7),), checks.any_digits, "\\bein\\b|employer id|tax id", 0.1, 0.3, 0.4),
    Scheme("ABA_ROUTING_NUMBER", ((4, 4, 1),), "us.rtn", "routing|aba|rtn|bank", category="payment"),
    Scheme("US_NPI", ((4, 3, 3), (3, 3, 4)), checks.us_npi, "npi|provider"),
    Scheme("CA_SIN", ((3, 3, 3),), checks.ca_sin, r"\bsin\b|social insurance|assurance sociale|\bnas\b"),
    Scheme("UK_NHS", ((3, 3, 4),), "gb.nhs", "nhs|health service|patient", category="health"),
    Scheme("AU_TFN", ((3, 3, 3),), "au.tfn", "tfn|tax file"),
    Scheme("AU_MEDICARE", ((4, 5, 1),), checks.au_medicare, "medicare", category="health"),
    Scheme("AU_ABN", ((2, 3, 3, 3),), "au.abn", "abn|business number", 0.3, 0.5, 0.5),
    Scheme("AU_ACN", ((3, 3, 3),), "au.acn", "acn|company number", 0.3, 0.5, 0.5),
    Scheme("IN_AADHAAR", ((4, 4, 4),), "in_.aadhaar", "aadha+r|uidai", 0.6, 0.9),
    Scheme("IN_AADHAAR", ((4, 4, 4),), checks.any_digits, "aadha+r|uidai", 0.1, 0.4, 0.5),
    Scheme("PL_PESEL", ((11,),), "pl.pesel", "pesel", 0.6),
    Scheme("TR_NATIONAL_ID", ((11,),), "tr.tckimlik", r"tckn|t\.?c\.? ?kimlik|kimlik|turkish|türk", 0.6),
    Scheme("DE_TAX_ID", ((2, 3, 3, 3),), checks.de_tax_id, r"idnr|steuer|tax|\bid-?nr"),
    Scheme("DE_TAX_NUMBER", ((13,),), checks.any_digits, "steuernummer|steuer-?nr|finanzamt", 0.2, 0.2, 0.4),
    Scheme(
        "DE_TAX_NUMBER",
        ((3, 3, 5), (2, 3, 5), (3, 4, 4), (2, 4, 4)),
        checks.any_digits,
        "steuer|finanzamt",
        0.1,
        0.4,
        0.4,
    ),
    Scheme("DE_LANR", ((9,),), checks.de_lanr, "lanr|arztnummer|arzt", 0.3, 0.3, 0.5),
    Scheme("DE_BSNR", ((9,),), checks.de_bsnr, "bsnr|betriebsst|praxis", 0.3, 0.3, 0.5),
    Scheme("TH_TNIN", ((1, 4, 5, 2, 1),), checks.th_tnin, f"thai|{_ID}|ประชาชน", 0.6, 0.9),
    Scheme("ZA_ID_NUMBER", ((6, 4, 2, 1),), checks.za_id, f"south africa|rsa|sa id|{_ID}|resident", 0.8, 0.9),
    Scheme("ZA_TRAFFIC_REGISTER_NUMBER", ((13,),), checks.any_digits, r"traffic register|\btrn\b|natis", 0.1, 0.1, 0.4),
    Scheme("ZA_INCOME_TAX_NUMBER", ((10,),), "za.tin", r"\bsars\b|income tax|tax (?:ref|num)|taxpayer", 0.2, 0.3, 0.4),
    Scheme("ZA_VAT_NUMBER", ((10,),), checks.za_vat, r"\bvat\b|value added", 0.1, 0.1, 0.4),
    Scheme("KR_RRN", ((6, 7),), checks.kr_rrn, "rrn|korean|resident|주민", grouped=0.85),
    Scheme("KR_FRN", ((6, 7),), checks.kr_frn, "frn|foreigner|alien|korean|외국인", grouped=0.85),
    Scheme("KR_BRN", ((3, 2, 5),), checks.kr_brn, "brn|business|사업자", 0.2, 0.6, 0.6),
    Scheme("KR_DRIVER_LICENSE", ((2, 2, 6, 2),), checks.kr_driver_license, "licen[cs]e|면허", 0.2, 0.6, 0.6),
    Scheme("SE_PERSONNUMMER", ((6, 4),), "se.personnummer", "personnummer|pnr|swedish|samordning", grouped=0.85),
    Scheme("SE_PERSONNUMMER", ((8, 4),), "se.personnummer", "personnummer|pnr|swedish|samordning", 0.8, 0.9, 0.9),
    Scheme(
        "SE_ORGANISATIONSNUMMER",
        ((6, 4),),
        "se.orgnr",
        "orgn|org\\.? ?n|organisation|company|f.{1,2}retag",
        0.2,
        0.45,
        0.5,
    ),
    Scheme("NO_FODSELSNUMMER", ((6, 5),), "no.fodselsnummer", "f.{1,2}dselsnummer|norwegian", 0.8, 0.9, 0.9),
    Scheme("DK_CPR", ((6, 4),), checks.dk_cpr, "cpr|danish|personnummer", 0.2, 0.45, 0.45),
    Scheme("NL_BSN", ((4, 2, 3), (4, 3, 2)), "nl.bsn", "bsn|burgerservice|sofi", alone=0.4),
    Scheme(
        "BE_NATIONAL_NUMBER",
        ((6, 3, 2), (2, 2, 2, 3, 2)),
        "be.nn",
        "rijksregister|registre national|belgian",
        0.8,
        0.9,
        0.9,
    ),
    Scheme("BR_CPF", ((3, 3, 3, 2),), "br.cpf", "cpf", 0.4, 0.9, 0.4),
    Scheme(
        "FR_NIR", ((1, 2, 2, 2, 3, 3, 2), (13, 2)), "fr.nir", "nir|s.{1,2}curit.{1,2} sociale|insee", 0.9, 0.95, 0.95
    ),
    Scheme("CH_AHV", ((3, 4, 4, 2),), "ch.ssn", "ahv|avs|swiss", 0.9, 0.95, 0.95),
    Scheme("CN_RESIDENT_ID", ((18,), (6, 8, 4)), "cn.ric", "resident|chinese|id|身份证", 0.95, 0.95, 0.95),
    Scheme("IL_ID", ((9,),), "il.idnr", "israeli|teudat", 0.2, 0.3, 0.4),
    Scheme("HR_OIB", ((11,),), "hr.oib", "oib|croatian", alone=0.4),
    Scheme("CZ_BIRTH_NUMBER", ((6, 4),), "cz.rc", "rodn|czech", 0.3, 0.7, 0.4),
    Scheme("RO_CNP", ((13,),), "ro.cnp", "cnp|romanian", 0.8, 0.8, 0.8),
    Scheme("BG_EGN", ((10,),), "bg.egn", "egn|bulgarian", 0.3, 0.3, 0.4),
    Scheme("EE_LT_PERSONAL_CODE", ((11,),), "ee.ik", "isikukood|asmens|estonian|lithuanian", 0.6),
    Scheme("PT_NIF", ((3, 3, 3),), "pt.nif", "nif|contribuinte", 0.3, 0.45, 0.4),
    Scheme("AR_CUIT", ((2, 8, 1),), "ar.cuit", "cui[tl]", 0.5, 0.85),
    Scheme("IT_VAT_CODE", ((11,),), "it.iva", r"\biva\b|p\.? ?iva|vat", 0.3, 0.3, 0.5),
    Scheme("PH_TIN", ((3, 3, 3),), checks.ph_tin, r"\btin\b|\bbir\b|taxpayer", 0.3, 0.5),
    Scheme("PH_TIN", ((3, 3, 3, 3),), checks.ph_tin, r"\btin\b|\bbir\b|taxpayer", 0.3, 0.6),
    Scheme(
        "PH_UMID", ((4, 7, 1),), checks.any_digits, r"umid|\bcrn\b|\bsss\b|gsis|philhealth|pag-?ibig", 0.1, 0.6, 0.4
    ),
    Scheme("NG_NIN", ((11,),), checks.ng_nin, r"\bnin\b|nimc|nigeria|national id", 0.3, 0.3, 0.5),
    Scheme("IMEI", ((2, 6, 6, 1), (15,)), "imei", "imei", 0.4, 0.5, 0.5),
)
