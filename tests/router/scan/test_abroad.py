"""Facts told in German, French, Spanish and Chinese; questions about the same topics tell nothing."""

import pytest

from router.scan import scan_text

TOLD = {
    "employment": [
        "mein Gehalt beträgt 84.500 und mein Chef will es kürzen",
        "Ich wurde letzte Woche gekündigt",
        "Mein Chef hat mich gestern abgemahnt",
        "Meine Frau wurde entlassen",
        "Ich verdiene 4.200 Euro im Monat",
        "j'ai été licencié la semaine dernière",
        "mon salaire est de 45 000 euros",
        "mon patron refuse de me payer",
        "ma femme a été virée hier",
        "me han despedido",
        "mi sueldo es de 1.800 euros y mi jefe quiere recortarlo",
        "mi marido fue despedido ayer",
        "gano 2.000 euros al mes",
        "我被公司裁员了",
        "我的月薪是15000元",
        "老板克扣我的工资，我的老板威胁我",
    ],
    "health": [
        "Ich habe seit zwei Jahren Diabetes",
        "Bei mir wurde Brustkrebs diagnostiziert",
        "Meine Mutter leidet an Demenz",
        "Ich bin schwanger und mein Chef weiß es nicht",
        "Ich bin seit drei Wochen krankgeschrieben",
        "on m'a diagnostiqué un diabète",
        "j'ai un cancer du sein",
        "je suis enceinte de trois mois",
        "mon fils souffre d'asthme",
        "me diagnosticaron diabetes el año pasado",
        "tengo depresión y ansiedad",
        "estoy embarazada",
        "mi madre tiene alzheimer",
        "我被诊断出患有糖尿病",
        "我妈妈得了癌症",
        "我怀孕了",
        "我有抑郁症",
    ],
    "finance": [
        "Ich habe Privatinsolvenz anmelden müssen, ich bin pleite",
        "Mein Kontostand ist 312 Euro",
        "Ich habe 20.000 Euro Schulden",
        "je suis surendetté",
        "le solde de mon compte est de 312 euros",
        "je dois 8 000 euros à mon frère",
        "debo 5.000 euros al banco",
        "estoy en bancarrota",
        "我欠了二十万, 我欠了200000元",
        "我破产了",
    ],
    "legal": [
        "Ich wurde gestern verhaftet",
        "Mein Vermieter hat mich verklagt",
        "Ich lasse mich scheiden",
        "j'ai été arrêté hier soir",
        "je suis en instance de divorce",
        "mon mari a été condamné",
        "fui detenido anoche",
        "mi ex me demanda por la custodia",
        "mi hermano está en la cárcel",
        "我被警察拘留了",
        "我老公被起诉了",
    ],
}
TOPICS = [
    "Was sind die Symptome von Diabetes?",
    "Wie hoch ist das durchschnittliche Gehalt in Deutschland?",
    "Welche Rechte haben Arbeitnehmer bei einer Kündigung?",
    "Wie funktioniert eine Privatinsolvenz?",
    "Schreibe eine Geschichte über einen Anwalt",
    "Quels sont les symptômes du diabète ?",
    "Comment calculer une indemnité de licenciement ?",
    "Qu'est-ce qu'un prêt hypothécaire ?",
    "¿Cuáles son los síntomas de la diabetes?",
    "¿Cómo se calcula el finiquito?",
    "¿Qué es una hipoteca?",
    "Explica la ley de divorcio en España",
    "糖尿病有哪些症状？",
    "劳动法对裁员有什么规定？",
    "什么是抵押贷款？",
    "请写一个关于律师的故事",
    "Ich möchte ein Konto eröffnen",
    "je voudrais ouvrir un compte",
    "quiero abrir una cuenta",
    "我想开一个账户",
]


def raised(text: str) -> set[str]:
    return {found.category for found in scan_text(text) if found.score >= 0.5}


@pytest.mark.parametrize(("category", "text"), [(name, text) for name, texts in TOLD.items() for text in texts])
def test_a_fact_told_in_another_language_raises_its_category(category: str, text: str) -> None:
    assert category in raised(text)


@pytest.mark.parametrize("text", TOPICS)
def test_a_topic_in_another_language_raises_nothing(text: str) -> None:
    assert raised(text) == set()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Guten Tag, mein Name ist Jürgen Österberg", "Jürgen Österberg"),
        ("Ich heiße Anna Schmidt", "Anna Schmidt"),
        ("Je m'appelle Élodie Durand", "Élodie Durand"),
        ("me llamo Íñigo Pérez", "Íñigo Pérez"),
        ("我叫王小明", "王小明"),
    ],
)
def test_a_name_introduced_in_another_language_is_found(text: str, name: str) -> None:
    assert name in {text[found.start : found.end] for found in scan_text(text) if found.entity == "PERSON"}


@pytest.mark.parametrize(
    "text",
    [
        "Hauptstraße 12, 10115 Berlin",
        "ich wohne in der Goethestr. 5",
        "12 rue de la Paix, Paris",
        "Calle Mayor 14, Madrid",
        "Via Garibaldi 23, Milano",
        "Keizersgracht 1, Damstraat 12",
        "北京市朝阳区建国路88号",
    ],
)
def test_a_street_is_found_as_it_is_written_there(text: str) -> None:
    assert "LOCATION" in {found.entity for found in scan_text(text) if found.score >= 0.5}
