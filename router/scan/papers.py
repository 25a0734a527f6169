"""Which identifiers of letters and digits are there? The table: how each is written, what checks it, which words announce it.

Sources: the issuers' own format descriptions, ICAO 9303, and what Presidio's recognisers accept (facts, not code). Patterns are written in
lower case and matched without regard to case, unless a scheme says that capitals are part of it.
"""

from dataclasses import dataclass
from typing import Final

from router.scan import checks
from router.scan.checks import Check


@dataclass(frozen=True, slots=True)
class Paper:
    """An identifier with letters in it.

    `written` is how people write it, `check` is asked about its letters and digits in capitals. The scores say what a hit proves: `plain`
    in running text, `alone` when it fills its line, `cued` after a word of `cue`.
    """

    entity: str
    written: str
    cue: str
    plain: float
    alone: float
    check: Check | str | None = None
    cued: float = 0.95
    category: str = "pii"
    capitals: bool = False


_TRAVEL: Final = "passport|passeport|pasaporte|reisepass|passaporto|paszport|여권|护照|travel doc"
_PLATE: Final = (
    r"plate|vehicle|registration|\breg\b|\bcar\b|bike|plaka|kennzeichen|\bkfz\b|vrn|licen[cs]e|number ?plate"
)
_LICENCE: Final = r"driv|licen[cs]e|permit|\bdl\b|dvla"
_UEN: Final = "uen|entity number|business registration|acra"

PAPERS: Final = (
    Paper(
        "US_MBI",
        (
            "[1-9][ac-hjkmnp-rt-y][ac-hjkmnp-rt-y0-9][0-9]-?[ac-hjkmnp-rt-y][ac-hjkmnp-rt-y0-9][0-9]"
            "-?[ac-hjkmnp-rt-y]{2}[0-9]{2}"
        ),
        "medicare|mbi|patient|beneficiary",
        0.6,
        0.7,
        category="health",
    ),
    Paper(
        "UK_NINO",
        "[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z][ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[a-d]",
        r"nino\b|national insurance|\bni\b",
        0.7,
        0.8,
        checks.uk_nino,
    ),
    Paper(
        "UK_DRIVING_LICENCE",
        "[a-z9]{5}[0-9](?:[05][1-9]|[16][0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9][a-z9]{2}[0-9a-z][a-z]{2}",
        _LICENCE,
        0.85,
        0.85,
        checks.uk_driving_licence,
    ),
    Paper("UK_PASSPORT", "[a-z]{2}[0-9]{7}", _TRAVEL, 0.3, 0.55),
    Paper(
        "UK_VEHICLE_REGISTRATION",
        "[a-hj-pr-y]{2}(?:0[2-9]|[1-7][0-9])[ -]?[a-hj-pr-z]{3}",
        _PLATE,
        0.45,
        0.6,
        cued=0.85,
        capitals=True,
    ),
    Paper(
        "UK_VEHICLE_REGISTRATION",
        "[a-hj-npr-tv-y][0-9]{1,3}[ -]?[a-hj-pr-y][a-hj-pr-z]{2}",
        _PLATE,
        0.3,
        0.55,
        cued=0.8,
        capitals=True,
    ),
    Paper(
        "UK_VEHICLE_REGISTRATION",
        "[a-hj-pr-z]{3}[ -]?[0-9]{1,3}[ -]?[a-hj-npr-tv-y]",
        _PLATE,
        0.3,
        0.55,
        cued=0.8,
        capitals=True,
    ),
    Paper(
        "UK_POSTCODE",
        "(?:gir ?0aa|[a-pr-uwyz](?:[0-9][0-9abcdefghjkpstuw]?|[a-hk-y][0-9][0-9abehmnprvwxy]?) [0-9][abd-hjlnp-uw-z]{2})",
        "post ?code|zip|address|deliver|mail|send|ship|live|street|road",
        0.5,
        0.6,
        cued=0.75,
        capitals=True,
    ),
    Paper(
        "UK_POSTCODE",
        "[a-pr-uwyz](?:[0-9][0-9abcdefghjkpstuw]?|[a-hk-y][0-9][0-9abehmnprvwxy]?)[0-9][abd-hjlnp-uw-z]{2}",
        "post ?code|address",
        0.3,
        0.55,
        cued=0.75,
        capitals=True,
    ),
    Paper(
        "CA_POSTAL_CODE",
        "[abceghj-nprstvxy][0-9][abceghj-nprstv-z] [0-9][abceghj-nprstv-z][0-9]",
        "postal|post ?code|zip|canada|ontario|quebec|qu.bec|alberta|columbia|address",
        0.5,
        0.6,
        cued=0.75,
        capitals=True,
    ),
    Paper(
        "CA_POSTAL_CODE",
        "[abceghj-nprstvxy][0-9][abceghj-nprstv-z]-?[0-9][abceghj-nprstv-z][0-9]",
        "postal|post ?code|zip|canada|ontario|quebec|alberta|columbia|address",
        0.3,
        0.5,
        cued=0.75,
        capitals=True,
    ),
    Paper("ES_NIF", "[0-9]{7,8}-?[a-z]", r"\bnif\b|\bdni\b|spanish|identidad|identificaci", 0.8, 0.8, "es.dni"),
    Paper("ES_NIE", "[xyz]-?[0-9]{7}-?[a-z]", r"\bnie\b|extranjero", 0.8, 0.8, "es.nie"),
    Paper("ES_PASSPORT", "[a-z]{3}[0-9]{6}", _TRAVEL, 0.3, 0.55, checks.es_passport, 0.9),
    Paper(
        "IT_FISCAL_CODE",
        "[a-z]{6} ?[0-9lmnp-v]{2} ?[abcdehlmprst][0-9lmnp-v]{2} ?[a-z][0-9lmnp-v]{3} ?[a-z]",
        r"codice|fiscal|\bcf\b",
        0.85,
        0.85,
    ),
    Paper(
        "IT_DRIVER_LICENSE",
        "(?:[a-z]{2}[0-9]{7}[a-z]|u1[b-hj-np-z0-9]{7}[a-z])",
        f"patente|licenza|{_LICENCE}",
        0.5,
        0.55,
        cued=0.85,
    ),
    Paper(
        "IT_IDENTITY_CARD",
        "(?:[a-z]{2} ?[0-9]{7}|[0-9]{7}[a-z]{2}|[a-z]{2}[0-9]{5}[a-z]{2})",
        r"carta|identit|\bcie\b|documento|riconoscimento|id card|identity card",
        0.3,
        0.55,
        cued=0.85,
    ),
    Paper("IT_PASSPORT", "[a-z]{2}[0-9]{7}", "passaporto|passport", 0.3, 0.55),
    Paper(
        "DE_SOCIAL_SECURITY",
        "[0-9]{2} ?[0-9]{6} ?[a-z] ?[0-9]{3}",
        "rvnr|svnr|sozial|rente|versicherungsnummer",
        0.8,
        0.85,
        checks.de_social_security,
    ),
    Paper(
        "DE_HEALTH_INSURANCE",
        "[a-z][0-9]{3}[ .]?[0-9]{3}[ .]?[0-9]{3}",
        "kvnr|krankenkasse|krankenvers|versicher|gesundheitskarte",
        0.7,
        0.75,
        checks.de_health_insurance,
        category="health",
    ),
    Paper(
        "DE_ID_CARD",
        "[cfghj-nprtv-z][0-9cfghj-nprtv-z]{7}[0-9]",
        "ausweis|identity card|id card|national id",
        0.6,
        0.6,
        checks.icao_9303,
    ),
    Paper("DE_ID_CARD", "t[0-9]{8}", "ausweis|identity card|id card|national id", 0.4, 0.55),
    Paper(
        "DE_PASSPORT",
        "[cfghj-nprtv-z][0-9cfghj-nprtv-z]{7}[0-9]",
        r"pass\b|pass-?(?:nr|nummer)|passport|mrz",
        0.6,
        0.6,
        checks.icao_9303,
    ),
    Paper(
        "DE_FUEHRERSCHEIN",
        "[a-z]{2}[0-9]{8}[a-z0-9]",
        f"f.{{1,2}}hrerschein|fahrerlaubnis|{_LICENCE}",
        0.3,
        0.4,
        cued=0.85,
    ),
    Paper(
        "DE_KFZ",
        "[a-z]{1,3}[ -][a-z]{1,2}[ -]?[0-9]{1,4}[eh]?",
        "kennzeichen|nummernschild|kfz|zulassung|fahrzeug|pkw|lkw",
        0.2,
        0.4,
        cued=0.8,
        capitals=True,
    ),
    Paper("DE_HANDELSREGISTER", "hr[ab] ?[0-9]{1,6}", "handelsregister|amtsgericht", 0.2, 0.2, cued=0.4),
    Paper(
        "DE_VAT_ID", "de[ .-]?[0-9]{3}[ .-]?[0-9]{3}[ .-]?[0-9]{3}", r"\bust|vat|umsatzsteuer", 0.3, 0.4, "de.vat", 0.45
    ),
    Paper("SG_NRIC_FIN", "[stfgm][0-9]{7}[a-z]", r"nric|\bfin\b|singapore", 0.85, 0.85, checks.sg_nric),
    Paper("SG_NRIC_FIN", "[a-z][0-9]{7}[a-z]", r"nric|\bfin\b|singapore", 0.3, 0.5, cued=0.85),
    Paper("SG_UEN", "(?:[0-9]{8,9}|[tsr][0-9]{2}[a-z]{2}[0-9]{4})[a-z]", _UEN, 0.6, 0.6, "sg.uen"),
    Paper("PH_PASSPORT", "(?:[a-z][0-9]{7}[a-z]|[a-z]{2}[0-9]{7})", f"{_TRAVEL}|\\bdfa\\b", 0.3, 0.5),
    Paper("IN_PAN", "[a-z]{3}[abcfghljpt][a-z][0-9]{4}[a-z]", r"\bpan\b|permanent account", 0.7, 0.7),
    Paper("IN_PAN", "[a-z]{5}[0-9]{4}[a-z]", r"\bpan\b|permanent account", 0.4, 0.5, cued=0.85),
    Paper("IN_GSTIN", "(?:0[1-9]|[12][0-9]|3[0-7]|97)[a-z]{5}[0-9]{4}[a-z][1-9a-z]z[0-9a-z]", r"\bgst", 0.6, 0.6),
    Paper("IN_VOTER", "[a-z]{3}[0-9]{7}", r"vote|\bepic\b|elector", 0.3, 0.55, cued=0.85),
    Paper("IN_PASSPORT", "[a-z][1-9][0-9] ?[0-9]{4}[1-9]", _TRAVEL, 0.3, 0.55, cued=0.9),
    Paper(
        "IN_VEHICLE_REGISTRATION",
        "(?:[a-z]{2}[ -]?[0-9]{1,2}[ -]?[a-z]{1,3}[ -]?[0-9]{4}|[2-9][1-9]bh[0-9]{4}[a-hj-np-z]{1,2})",
        f"\\brto\\b|{_PLATE}",
        0.5,
        0.6,
        checks.in_vehicle,
        0.85,
    ),
    Paper(
        "IN_VEHICLE_REGISTRATION",
        "[a-z]{2}[0-9]{4}",
        f"\\brto\\b|{_PLATE}",
        0.2,
        0.5,
        checks.in_vehicle,
        0.7,
        capitals=True,
    ),
    Paper(
        "TR_LICENSE_PLATE",
        "(?:0[1-9]|[1-7][0-9]|8[01])[ -]?[a-pr-vyz]{1,3}[ -]?[0-9]{2,5}",
        f"plaka|{_PLATE}",
        0.4,
        0.6,
        cued=0.8,
        capitals=True,
    ),
    Paper("NG_VEHICLE_REGISTRATION", "[a-z]{3}[ -]?[0-9]{3}[ -]?[a-z]{2}", _PLATE, 0.4, 0.6, cued=0.85, capitals=True),
    Paper(
        "ZA_LICENSE_PLATE",
        "(?:[a-z]{2,3} ?[0-9]{2,3} ?(?:[a-z]{2} ?)?(?:gp|zn|wp|ec|nc|fs|lp|mp|nw)|[a-z]{2,4}[0-9]{2,4}[a-z]{0,4}(?:gp"
        "|zn|wp|ec|nc|fs|lp|mp|nw))",
        _PLATE,
        0.4,
        0.6,
        cued=0.8,
        capitals=True,
    ),
    Paper("ZA_PASSPORT", "[admt][0-9]{8}", _TRAVEL, 0.3, 0.55, cued=0.9),
    Paper("ZA_DRIVER_LICENSE", "[0-9]{6,10}[a-z][a-z0-9]{1,4}", rf"{_LICENCE}|\be?natis\b", 0.2, 0.3, cued=0.75),
    Paper("KR_PASSPORT", "[msrod](?:[0-9]{3}[a-z][0-9]{4}|[0-9]{8})", f"{_TRAVEL}|korea", 0.4, 0.6, cued=0.9),
    Paper("US_PASSPORT", "[a-z][0-9]{8}", _TRAVEL, 0.3, 0.55, cued=0.9),
    Paper(
        "US_DRIVER_LICENSE",
        "(?:[a-z][0-9]{6,8}|[a-z][0-9]{10,14}|[a-z]{1,2}[0-9]{5,7}|[0-9]{8,9}[a-z]{1,2}|[0-9]{2}[a-z]{3}[0-9]{5,6})",
        r"driver|driving|licen[cs]e (?:no|num|#|is)|\bdl\b|\bcdl",
        0.2,
        0.35,
        cued=0.8,
    ),
    Paper(
        "MEDICAL_LICENSE",
        "[abcdefghjklmprstux][a-z9][0-9]{7}",
        r"\bdea\b|prescriber|licen[cs]e|certificate",
        0.45,
        0.55,
        checks.us_dea,
    ),
    Paper("MX_CURP", "[a-z]{4}[0-9]{6}[hmx][a-z]{5}[0-9a-z][0-9]", "curp", 0.95, 0.95, "mx.curp"),
    Paper("CN_RESIDENT_ID", "[0-9]{17}x", "resident|chinese|身份证", 0.95, 0.95, "cn.ric"),
    Paper("IE_PPS", "[0-9]{7}[a-w][a-iw]?", r"\bpps", 0.4, 0.5, "ie.pps"),
    Paper("TW_NATIONAL_ID", "[a-z][1289][0-9]{8}", "taiwan|身分證", 0.4, 0.4, checks.tw_national_id),
    Paper(
        "FI_PERSONAL_IDENTITY_CODE",
        "[0-9]{6}[-+a-fu-y][0-9]{3}[0-9a-fhj-npr-y]",
        "henkil|hetu|finnish|personal identity|personbeteckning",
        0.9,
        0.9,
        checks.fi_hetu,
    ),
    Paper("VIN", "[a-hj-npr-z0-9]{8}[0-9x][a-hj-npr-z0-9][0-9]{7}", r"\bvin\b|chassis|vehicle", 0.6, 0.6, checks.vin),
)
