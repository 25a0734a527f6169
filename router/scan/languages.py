"""How do people tell facts about themselves and theirs in German, French, Spanish and Chinese? Fragments, as narratives puts them together.

Each fragment is an RE2 expression over lower-case UTF-8 (patterns ignore case for ASCII). Written for this project.
"""

from dataclasses import dataclass
from typing import Final

_WORDS: Final = r"(?:[^\s.!?;:]{1,30} ){0,6}"
_HANS: Final = r"(?:(?:[\xe3-\xe9][\x80-\xbf]{2}|[0-9a-z]|\xef\xbc\x8c|,){0,12})"


@dataclass(frozen=True, slots=True)
class Language:
    """One language's fragments.

    Without a word of `people` nothing is told. `told` is somebody and an auxiliary: after it comes what happened (`health`, `work`, `law`,
    `money`). `has` is somebody and a verb of having: after it come `conditions`. After `mine` comes what somebody possesses (`pay`,
    `account`, `case`) with a figure or what became of it (`cut`, `moves`), or the `superior` and how that person `acts`.
    """

    people: str
    gap: str
    space: str
    told: str
    has: str
    mine: str
    conditions: str
    health: str
    work: str
    law: str
    money: str
    pay: str
    cut: str
    account: str
    earns: str
    owes: str
    superior: str
    acts: str
    case: str
    moves: str


_KIN_DE: Final = (
    r"(?:(?:mein|unser|sein|ihr)(?:e[mnrs]?)? (?:[^\s.!?]{1,20} )?(?:frau|mann|partner(?:in)?|freund(?:in)?|sohn|tochter|kind(?:er)?|baby"
    r"|mutter|vater|eltern|mama|papa|bruder|schwester|oma|opa|großmutter|großvater|chef(?:in)?|kolleg(?:e|in|en)"
    r"|nachbar(?:in|n)?|onkel|tante"
    r"|ex(?:-?(?:mann|frau|freund(?:in)?))?|cousin(?:e)?|mieter(?:in)?|patient(?:in)?|mandant(?:in)?|mitarbeiter(?:in)?)"
    r"|(?:herrn?|frau) [a-zäöü][^\s.!?]{2,20}(?: [a-zäöü][^\s.!?]{2,20})?)"
)
_AUX_DE: Final = r"(?:bin|wurde|wurden|werde|ist|sind|war|hat|haben|habe|hab|hatte|musste|lasse|lag)"
GERMAN: Final = Language(
    people=r"(?i)\b(?:ich|wir|mi[rc]h?|uns|mein|unser|herr|frau|sein|ihre?) ?",
    gap=_WORDS,
    space=" ",
    told=(
        rf"\b(?:(?:ich|wir|man|{_KIN_DE}) {_AUX_DE}|{_AUX_DE} (?:ich|wir|mir|mich|uns|{_KIN_DE})|(?:m"
        rf"ir|mich|bei (?:mir|uns|{_KIN_DE})) {_AUX_DE})"
    ),
    has=(
        rf"\b(?:(?:ich|wir|{_KIN_DE}) (?:habe?|hab|hat|haben|hatten?|leiden?|leidet|litt|bekam|kämpfen?|kämpft|lebe"
        rf"|lebt|bin an|ist an|starb an)"
        rf"|bei (?:mir|{_KIN_DE}) (?:wurde|ist|hat man))"
    ),
    mine=r"\b(?:mein|unser)(?:e[mnrs]?)?",
    conditions=(
        r"(?:diabetes|(?:brust|lungen|haut|darm|prostata|magen|blut|leber|hirn)?krebs|leukämie|tumor|hiv|aids|hepatitis|depression(?:en)?|angststörung"
        r"|panikattacken|bipolare? störung"
        r"|schizophrenie|ptbs|adhs|autismus|magersucht|bulimie|essstörung|burn-?out|asthma|copd|lungenentzündung"
        r"|tuberkulose|corona|long covid"
        r"|bluthochdruck|herzfehler|herzinfarkt|herzschwäche|schlaganfall|epilepsie|migräne|multiple sklerose|parkinson|alzheimer|demenz"
        r"|arthritis|rheuma|arthrose|bandscheibenvorfall|morbus crohn|reizdarm|zöliakie|nierenversagen|nierensteine"
        r"|leberzirrhose|endometriose"
        r"|schilddrüsenunterfunktion|anämie|thrombose|alkoholproblem|suchtproblem|psoriasis|neurodermitis|eine "
        r"behinderung|suizidgedanken)"
    ),
    health=(
        r"(?:diagnostiziert|festgestellt worden|schwanger|hiv-positiv|krankgeschrieben|operiert|im krankenhaus|in "
        r"therapie|depressiv|an krebs erkrankt"
        r"|fehlgeburt|eine abtreibung|alkoholabhängig|alkoholiker(?:in)?|drogenabhängig|suizidgefährdet"
        r"|schwerbehindert|unfruchtbar|dement)"
    ),
    work=(
        r"(?:gekündigt|entlassen|gefeuert|abgemahnt|abmahnung|kündigung (?:bekommen|erhalten)|gemobbt|degradiert|freigestellt|arbeitslos"
        r"|am arbeitsplatz belästigt|nicht befördert)"
    ),
    law=(
        r"(?:verhaftet|festgenommen|verklagt|angeklagt|verurteilt|vorbestraft|angezeigt|abgeschoben|mich scheiden"
        r"|scheiden lassen|auf bewährung"
        r"|im gefängnis|in haft|eine anzeige (?:bekommen|erhalten)|eine räumungsklage)"
    ),
    money=r"(?:insolvenz an(?:melden|gemeldet)|insolvent|pleite|überschuldet|privatinsolvenz|in der schufa|gepfändet|hoch verschuldet)",
    pay=r"(?:gehalt|monatsgehalt|jahresgehalt|lohn|stundenlohn|bonus|prämie|weihnachtsgeld|abfindung|überstunden|vergütung)",
    cut=r"(?:kürzen|gekürzt|gestrichen|reduziert|gesenkt|verweigert|nicht (?:gezahlt|bezahlt|ausgezahlt|überwiesen))",
    account=r"(?:kontostand|konto|kredit|hypothek|schulden|ersparnisse|vermögen|miete|rente|steuerschuld|dispo)",
    earns=r"\b(?:ich|wir|mein mann|meine frau) (?:verdiene[nt]?|bekomme[nt]?|erhalten?)",
    owes=r"\b(?:ich|wir) (?:schulde[nt]?|habe[n]?|hab) ",
    superior=r"(?:chef(?:in)?|vorgesetzte[rn]?|boss|arbeitgeber|firma|personalabteilung|teamleiter(?:in)?)",
    acts=(
        r"(?:kürz\w{1,4}|kündig\w{1,4}|gekündigt|entlass\w{1,4}|gemobbt|mobbt|belästig\w{1,4}|droht|gedroht"
        r"|streich\w{1,3}|diskriminier\w{1,3}"
        r"|nicht (?:be)?zahl\w{1,3}|versetz\w{1,3}|beleidig\w{1,3}|abmahn\w{1,3}|schreit mich an|überwach\w{1,3})"
    ),
    case=r"(?:anwalt|anwältin|vermieter(?:in)?|ex-?(?:mann|frau)|scheidung|sorgerecht|asylantrag|aufenthaltstitel|visum|gerichtstermin|bewährung|klage)",
    moves=r"(?:verklagt|kündigt|rät|sagt|läuft|droht|wurde|abgelehnt|eingereicht|verloren|will|ist (?:am|abgelaufen)|endet)",
)

_KIN_FR: Final = (
    r"(?:(?:mon|ma|mes|son|sa|notre) (?:[^\s.!?]{1,15} )?(?:femme|mari|épouse|époux|conjointe?|compagn(?:on|e)|fils"
    r"|fille|enfants?|bébé|mère|père"
    r"|maman|papa|parents|frère|sœur|soeur|grand-mère|grand-père|oncle|tante|copine?|copain|amie?|voisine?|collègue"
    r"|patronn?e?|ex(?:-(?:femme|mari))?"
    r"|cousine?|locataire|patiente?|cliente?|employée?)|(?:m\.|mme|monsieur|madame) [a-z][^\s.!?]{2,20})"
)
FRENCH: Final = Language(
    people=r"(?i)\b(?:j'|je |m'|mon |ma |mes |notre |nous |nos |m\. |mme |monsieur |madame |son |sa )",
    gap=_WORDS,
    space=" ",
    told=(
        r"(?:\bj'(?:ai|étais|avais)(?: été)?|\bje (?:suis|viens d'être|me suis|vais être)|\b(?:on|ils|elle|il|la "
        r"police|le médecin) m'(?:a|ont)"
        rf"|\bm'(?:a|ont)|\bnous (?:avons|sommes)(?: été)?|\b{_KIN_FR} (?:a|est|ont|sont|vient d'être|s'est|a été|m'a))"
    ),
    has=(
        rf"\b(?:j'ai|je (?:souffre|vis avec|combats|suis atteinte?)|{_KIN_FR} (?:a|souffre|est attein"
        rf"te?|vit avec)|on m'a (?:diagnostiqué|trouvé))"
    ),
    mine=r"\b(?:mon|ma|mes|notre|nos)",
    conditions=(
        r"(?:d'|l'|un |une )?(?:diabète|cancer|leucémie|tumeur|vih|sida|hépatite|dépression|anxiété|crises? d'angoisse|trouble bipolaire"
        r"|schizophrénie|tdah|autisme"
        r"|anorexie|boulimie|burn-?out|asthme|bpco|pneumonie|tuberculose|covid|hypertension|insuffisance (?:cardiaque"
        r"|rénale)|infarctus|avc"
        r"|épilepsie|migraines?|sclérose en plaques|parkinson|alzheimer|démence|arthrite|arthrose|hernie discale"
        r"|maladie de crohn|endométriose"
        r"|hypothyroïdie|anémie|thrombose|problème d'alcool|addiction|psoriasis|eczéma|handicap|idées suicidaires)"
    ),
    health=(
        r"(?:diagnostiquée?|enceinte|séropositi(?:f|ve)|en arrêt maladie|opérée?|hospitalisée?|dépressi(?:f|ve)|sous "
        r"antidépresseurs|en chimio"
        r"|une fausse couche|fait une dépression|avortée?|alcoolique|toxicomane|suicidaire|handicapée?|stérile)"
    ),
    work=(
        r"(?:licenciée?s?|virée?s?|renvoyée?s?|mise? à pied|un avertissement|harcelée?|rétrogradée?|au chômage|mutée?"
        r"|poussée? à la démission"
        r"|refusé (?:mon|ma) (?:augmentation|promotion))"
    ),
    law=(
        r"(?:arrêtée?s?(?: par)?|mise? en examen|en garde à vue|condamnée?s?|poursuivie?s?(?: en justice)?"
        r"|assignée?s?|expulsée?s?|incarcérée?s?"
        r"|en prison|en sursis|porté plainte contre|en instance de divorce|divorce)"
    ),
    money=r"(?:surendettée?s?|en faillite|interdite? bancaire|fichée? à la banque de france|à découvert|ruinée?s?|saisie? (?:sur|mon))",
    pay=r"(?:salaire|paie|paye|prime|bonus|rémunération|heures sup(?:plémentaires)?|indemnités?|augmentation)",
    cut=r"(?:réduire|réduite?|baisser|baissée?|supprimer|supprimée?|refusée?|(?:pas|jamais) (?:été )?(?:payée?|versée?))",
    account=r"(?:solde|compte(?: bancaire| courant)?|crédit|prêt|hypothèque|dettes?|épargne|économies|loyer|retraite|découvert)",
    earns=r"\b(?:je|mon mari|ma femme) (?:gagne|touche|perçois)",
    owes=r"\b(?:je dois|nous devons|j'ai emprunté|j'ai perdu|j'ai hérité de) ",
    superior=r"(?:patronn?e?|chef|cheffe|employeur|manager|supérieure?|responsable|directeur|directrice|drh|boîte|entreprise)",
    acts=(
        r"(?:me licencier|me virer|m'a viré|m'a licencié|harcèle|me harceler|réduire mon|baisser mon|refuse de (?:me "
        r")?payer|menace|m'insulte"
        r"|le réduire|le baisser|me discrimine|me muter|ne me paie pas|m'a rétrogradé)"
    ),
    case=r"(?:avocate?|propriétaire|ex(?:-?(?:femme|mari))?|divorce|garde (?:de|des)|demande d'asile|titre de séjour|visa|procès|sursis)",
    moves=r"(?:m'a|me poursuit|m'expulse|dit|conseille|expire|a été|refusée?|veut|demande|est (?:refusé|prévu|expiré))",
)

_KIN_ES: Final = (
    r"(?:(?:mi|mis|su|nuestr[oa]) (?:[^\s.!?]{1,15} )?(?:esposa|mujer|marido|esposo|pareja|novi[oa]|hij[oa]s?|bebé"
    r"|madre|padre|mamá|papá|padres"
    r"|herman[oa]|abuel[oa]|tí[oa]|amig[oa]|vecin[oa]|compañer[oa]|jef[ea]|ex(?:-?(?:mujer|marido|esposa|esposo"
    r"|novi[oa]))?|prim[oa]|sobrin[oa]"
    r"|inquilin[oa]|paciente|cliente|emplead[oa])|(?:el sr\.?|la sra\.?|don|doña) [a-z][^\s.!?]{2,20})"
)
SPANISH: Final = Language(
    people=r"(?i)\b(?:me |mis? |he |hemos |fui|soy |estoy|tengo|debo|debemos|gano|cobro|padezco|sufro|vivo"
    r"|perdí|heredé|nuestr|su |el sr|la sra|don|acabo)",
    gap=_WORDS,
    space=" ",
    told=(
        r"(?:\bme (?:han|ha|acaban de|van a|habían|están)|\b(?:he|hemos)(?: sido| estado)?|\b(?:fui|fuimos|estoy"
        r"|estamos|soy|estuve|acabo de ser)"
        rf"|\b{_KIN_ES} (?:ha|han|fue|fueron|está|estaba|es|ha sido)|\ba {_KIN_ES} (?:le|lo|la) (?:han|ha)|\bme)"
    ),
    has=(
        rf"\b(?:tengo|padezco|sufro(?: de)?|vivo con|{_KIN_ES} (?:tiene|padece|sufre(?: de)?|murió de"
        rf")|me (?:diagnosticaron|han diagnosticado|detectaron|han detectado))"
    ),
    mine=r"\b(?:mi|mis|nuestr[oa]s?)",
    conditions=(
        r"(?:diabetes|cáncer|leucemia|tumor|vih|sida|hepatitis|depresión|ansiedad|ataques de pánico|trastorno bipolar"
        r"|esquizofrenia|tdah|autismo"
        r"|anorexia|bulimia|asma|epoc|neumonía|tuberculosis|covid|hipertensión|insuficiencia (?:cardíaca|renal)"
        r"|infarto|ictus|epilepsia|migrañas?"
        r"|esclerosis múltiple|parkinson|alzheimer|demencia|artritis|artrosis|hernia discal|enfermedad de crohn"
        r"|endometriosis|hipotiroidismo"
        r"|anemia|trombosis|problemas? con el alcohol|adicción|psoriasis|discapacidad|pensamientos suicidas)"
    ),
    health=(
        r"(?:diagnosticaron|diagnosticad[oa]|diagnosticado|embarazada|seropositiv[oa]|de baja(?: médica| por)?"
        r"|operad[oa]|operaron|hospitalizad[oa]|ingresad[oa]"
        r"|deprimid[oa]|tomando antidepresivos|un aborto|alcohólic[oa]|drogadict[oa]|suicidarme|discapacitad[oa]|estéril)"
    ),
    work=(
        r"(?:despedid[oa]s?|despidieron|echado del trabajo|echaron del trabajo|sancionad[oa]|acosad[oa] (?:en el|por "
        r"mi)|degradad[oa]|en el paro|en paro"
        r"|desemplead[oa]|negado (?:el|mi) (?:aumento|ascenso))"
    ),
    law=(
        r"(?:detenid[oa]s?|arrestad[oa]s?|detuvieron|arrestaron|denunciad[oa]s?|demandad[oa]s?|demandaron"
        r"|condenad[oa]s?|imputad[oa]s?|deportad[oa]s?"
        r"|desahuciad[oa]s?|en la cárcel|en prisión|en libertad condicional|divorciando|indocumentad[oa])"
    ),
    money=r"(?:en bancarrota|en quiebra|arruinad[oa]s?|embargad[oa]|embargado|endeudad[oa]s?|en números rojos|en la lista de morosos)",
    pay=r"(?:sueldo|salario|nómina|paga|bonus|comisión|horas extras?|indemnización|finiquito|aumento)",
    cut=r"(?:recortar|recortado|reducir|reducido|bajar|bajado|negado|(?:no|nunca) (?:me lo |me la )?(?:han )?pagado)",
    account=r"(?:saldo|cuenta(?: bancaria| corriente)?|crédito|préstamo|hipoteca|deudas?|ahorros|alquiler|pensión)",
    earns=r"\b(?:gano|cobro|ganamos|mi marido gana|mi mujer gana)",
    owes=r"\b(?:debo|debemos|perdí|heredé|pedí prestad[oa]s?|tengo una deuda de) ",
    superior=r"(?:jef[ea]|patrón|empresa|encargad[oa]|supervisor[a]?|director[a]?|empleador)",
    acts=(
        r"(?:despedirme|me despidió|echarme|acosa|acosando|recortar(?:me|lo)?|recortármelo|bajarme|reducir(?:lo|me)"
        r"|no me paga|se niega a pagar"
        r"|amenaza|me insulta|discrimina|me grita|degradarme)"
    ),
    case=r"(?:abogad[oa]|caser[oa]|ex(?:-?(?:mujer|marido))?|divorcio|custodia|solicitud de asilo|visado?|permiso de residencia|juicio"
    r"|libertad condicional)",
    moves=r"(?:me ha|me demanda|dice|aconseja|vence|caducó|fue|negad[oa]|denegad[oa]|quiere|está|empieza)",
)

_KIN_ZH: Final = (
    r"(?:我|我们|咱们|(?:我|我的|我们)?(?:妈妈?|爸爸?|母亲|父亲|爸妈|父母|老公|老婆|丈夫|妻子|先生|太太|儿子|女儿|孩子|宝宝|男朋友|女朋友|男友|女友|对象|哥哥?|姐姐?|弟弟?|妹妹?"
    r"|奶奶|爷爷|外婆|外公|姥姥|姥爷|叔叔|阿姨|同事|邻居|室友|朋友|前妻|前夫|房东|老板))"
)
_WHEN_ZH: Final = (
    r"(?:昨天|今天|上周|上个月|去年|今年|最近|刚刚?|已经|之前|上星期|前几天|也|都|现在|一直|在医院|突然){0,3}"
)
CHINESE: Final = Language(
    people="我|咱|妈|爸|母亲|父亲|父母|老公|老婆|丈夫|妻子|先生|太太|儿子|女儿|孩子|宝宝|友|对象|哥|姐|弟|妹|奶奶|爷爷|外婆|外公|姥|叔|阿姨|同事|邻居|前妻|前夫|房东|老板",
    gap=_HANS,
    space="",
    told=rf"{_KIN_ZH}{_WHEN_ZH}(?:被|是|有|得|在|因为|因)?",
    has=rf"{_KIN_ZH}{_WHEN_ZH}(?:被(?:医生)?(?:诊断出?|确诊|查出)(?:患有|有|得了|为)?|患有|患了|得了|有|确诊了?|查出了?|死于)",
    mine=r"(?:我的?|我们的?|我家的?)",
    conditions=(
        r"(?:糖尿病|高血压|(?:[\xe3-\xe9][\x80-\xbf]{2}){0,2}癌|癌症|白血病|肿瘤|艾滋病|艾滋|乙肝|肝炎|抑郁症?|焦虑症|躁郁症|双相情感障碍|精神分裂症?|自闭症|多动症|厌食症"
        r"|哮喘|肺炎|肺结核|新冠|心脏病|心衰|心肌梗(?:死|塞)|中风|癫痫|偏头痛|帕金森|阿尔茨海默|老年痴呆|痴呆|关节炎|红斑狼疮|肾衰竭|肾病|肝硬化|甲亢|甲减|贫血|血栓|酒瘾|毒瘾"
        r"|残疾|自杀的?念头)"
    ),
    health=r"(?:怀孕|流产|堕胎|诊断|确诊|住院|做了手术|动手术|化疗|透析|抑郁|自杀|酗酒|吸毒|在吃抗抑郁药)",
    work=r"(?:被(?:公司|老板)?(?:解雇|开除|辞退|裁员|裁了|炒了?|降职|降薪|停职|骚扰)|失业|丢了工作|被迫离职)",
    law=r"(?:被(?:警察|公安)?(?:逮捕|拘留|抓了|起诉|判刑|判了|驱逐|遣返|告上法庭)|坐牢|离婚|在缓刑|打官司|取保候审)",
    money=r"(?:破产|负债|欠债|资不抵债|还不起(?:房贷|贷款|信用卡)|被列为失信|房贷断供)",
    pay=r"(?:工资|月薪|年薪|薪水|薪资|奖金|年终奖|加班费|补偿金|底薪)",
    cut=r"(?:减少|削减|扣了?|克扣|拖欠|没发|不发|降了)",
    account=r"(?:余额|账户|存款|贷款|房贷|欠款|积蓄|负债|房租|养老金|信用卡)",
    earns=r"我(?:每月|一个月|每年|一年|现在)?(?:挣|赚)",
    owes=r"(?:我|我们)(?:欠|借了|亏了|继承了|输了)",
    superior=r"(?:老板|领导|上司|经理|公司|主管|单位)",
    acts=r"(?:开除我|解雇我|辞退我|骚扰我?|克扣|拖欠|扣我|减我|降我|威胁我|逼我|歧视我|不给我发|欺负我|打压我)",
    case=r"(?:律师|房东|前夫|前妻|离婚|抚养权|签证|庇护申请|居留证|案子|官司)",
    moves=r"(?:说|建议|要|起诉|告我|赶我|被拒|过期|到期|开庭|判)",
)

LANGUAGES: Final = (GERMAN, FRENCH, SPANISH, CHINESE)
