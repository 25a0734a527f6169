"""What do the words alone say: is a change asked for, which regulated field is touched, what kind of work is it, is it a batch?

Small lexicons, English only, beside the trained heads: for the requests that the training data does not know.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import re2

_TOPICS: Final = Path(__file__).parent / "topics"
Family = Literal["question", "writing", "coding", "extraction", "action"]

_POLITE = (
    r"(?:(?:hi|hello|hey|ok|okay|yes|yeah|sure|thanks|alright|great|perfect|please|kindly|just|now|also|then|next|finally|immediately|quickly|simply|so"
    r"|go ahead and|can you|could you|would you|will you|i want you to|i need you to|i'd like you to|i would like you to|i want to|i need to|i'd like to"
    r"|i would like to|i wish to|i have to|let's|let us|help me|you should|you must|make sure to|make sure you|be sure to|try to|we need to|we have to"
    r"|you need to|first|after that|afterwards|and|but|proceed to|proceed and|claude|assistant|dear team|team|in the system|for me|asap|urgent|do me a favor and"
    r"|would you mind|and then|right away|today|tonight|tomorrow)[,:!]? +)*"
)
_PLAINLY = (
    r"(?:unsubscribe|deploy|redeploy|reboot|restart|refund|reimburse|reschedule|uninstall|roll ?back|deactivate|reactivate|disable|revoke|terminate|decommission"
    r"|shut down|power off|turn off|turn on|unlock|unblock|wire|withdraw|repay|prepay|rebook|kill|force[- ]push|wipe|purge|nuke|offboard|onboard|promote|demote|ban|evict)\b"
)
_CHANGES = (
    r"(?:cancel|delete|remove|erase|drop|destroy|stop|start|launch|enable|activate|grant|give|reset|change|update|modify|edit|set|upgrade|downgrade|subscribe|sign|pay|transfer|send"
    r"|email|text|message|forward|post|publish|release|submit|file|book|reserve|order|reorder|buy|purchase|schedule|move|rename|merge|push|close|reopen|open|create|add|insert|register"
    r"|approve|reject|deny|accept|decline|assign|reassign|block|lock|freeze|suspend|pause|resume|install|migrate|archive|overwrite|truncate|rotate|invite|notify|charge|bill|credit|renew"
    r"|return|exchange|redeem|report|dispute|escalate|switch|scale|provision|allocate|apply|extend|put|place|make|write|copy|restore|replace|swap|sell|trade|hire|fire|issue|log|mark|clear|flush|run|execute|trigger)\b"
)
_THINGS = (
    r"(?:accounts?|users?|subscriptions?|memberships?|orders?|bookings?|reservations?|appointments?|meetings?|flights?|tickets?|invoices?|payments?|cards?|funds|money|[$\x80-\xff]+ ?[0-9]+"
    r"|[0-9]+ ?(?:dollars|euros|usd|eur|bucks|pounds|shares|units|licenses|seats|replicas|percent of my)"
    r"|servers?|databases?|tables?|services?|deployments?|builds?|releases?|clusters?|nodes?|pods?|containers?|instances?|vms?|buckets?|volumes?|backups?|snapshots?|repositor(?:y|ies)|repo|branch(?:es)?"
    r"|pull requests?|prs?|issues?|records?|entries|entry|profiles?|passwords?|pin|permissions?|access|admin rights|roles?|privileges|api keys?|keys?|tokens?|certificates?|licen[cs]es?|plans?"
    r"|address|phone number|email address|mailing list|newsletter|autopay|direct debit|limit|notifications?|alerts?|feature flags?|firewall|dns|domain|webhook|cron ?jobs?|jobs?|pipelines?"
    r"|customers?|employees?|leads?|contacts?|vendors?|suppliers?|contracts?|claims?|policy|loans?|trades?|positions?|stocks?|shares|parcel|package|shipments?|delivery|hotel|room|taxi|cab|uber|car|pizza"
    r"|table for|files?|folders?|director(?:y|ies)|logs|cache|queues?|messages?|e-?mails?|invites?|invitations?|calendar|events?|reminders?|alarms?|timers?|lights?|thermostat|door|prescriptions?|wire|transfer"
    r"|production|prod|staging|live site|website|stag\w*|environment|config(?:uration)?|settings?|status|balance|inventory|stock|prices?|discount|coupon|campaign|ad|survey|poll|form|application|request|purchase|refund)\b"
)
_CHANGE: Final = re2.compile(rf"^[\s\"'>*\-0-9.)]*{_POLITE}(?:{_PLAINLY}|{_CHANGES}(?: +[^\s,:]+){{0,5}}? +{_THINGS})")
_LATER: Final = re2.compile(
    rf"(?:,? and(?: then)?|, then|; then|, also| but) +{_POLITE}(?:{_PLAINLY}|{_CHANGES}(?: +[^\s,:]+){{0,4}}? +{_THINGS})"
)
_WISH: Final = re2.compile(
    r"\b(?:i want|i need|i'd like|i would like|i demand|i request|i am requesting|i'm requesting|we need) (?:my|this|that|the|his|her|our|all|a|an|it) (?:[a-z]+ ){0,4}(?:cancell?ed|deleted|removed|refunded|changed|updated|reset|restarted|deployed|closed|blocked|disabled|activated|transferred|paid|booked|reversed|unlocked|refund|money back|full refund)\b"
)
_ASKS: Final = re2.compile(
    r"^[\s\"'>*\-0-9.)]*(?:(?:hi|hello|hey|ok|okay|please|so|and|also|but|quick question|question|sorry|excuse me|could you(?: please)?|can you(?: please)?|would you(?: please)?"
    r"|i want to know|i'd like to know|i would like to know|i need to know|i was wondering|i'm wondering|i wonder|do you know|help me understand)[,:!]? +)*"
    r"(?:how|what|what's|whats|why|when|where|which|who|whose|whether|if|explain|describe|define|tell me|show me|teach me|walk me through|give me|list|compare|discuss|is|are|was|were|am|do|does|did"
    r"|should|can i|can we|can anyone|can someone|could i|could we|may i|might|would it|would i|will it|will i|has|have|had|i forgot how|i don't know how|i do not know how|learn|guide me|help me with|steps|instructions"
    r"|summari[sz]e|translate|rewrite|rephrase|paraphrase|proofread|classify|extract|analy[sz]e|review|improve|shorten|correct|draft|compose|brainstorm|suggest|imagine|pretend|act as|convert|parse|outline"
    r"|write|generate|implement|refactor|code|debug|document|design|prove|solve|calculate|compute|find the|evaluate|complete|create a (?:script|function|query|program|regex|class|plan|poem|story|template|list|table of|summary|marketing|study|lesson))\b"
)
_MATERIAL: Final = re2.compile(
    r"^[\s\"'>*\-]*(?:please +|can you +|could you +|help me +)*(?:summari[sz]e|translate|rewrite|rephrase|paraphrase|proofread|classify|extract|analy[sz]e|review|improve|shorten|correct|fix the grammar|reply to|respond to"
    r"|draft a reply|what does|explain|convert|parse|answer|which of|label|categori[sz]e|complete the|detect|identify|rate|score|edit this|edit the following|is this|read)\b"
)
_SENTENCE: Final = re2.compile(r"[.!?\n;]+(?:\s+|$)")
_THEN: Final = re2.compile(r"^\s*(?:and then|then|after that|afterwards|also|next|finally|once done|and)\b")


def asks_for_change(text: str) -> bool | None:
    """Tell whether a (short) text commands a change ("cancel my subscription"), only asks about one (False), or says neither (None).

    Each sentence is judged by how it begins. What follows "summarize this:" and the like is material, not a command, unless it goes on with "then".
    """
    asked = False
    sentences = [part for part in _SENTENCE.split(text.lower().replace("\u2019", "'")) if part.strip()]
    material = bool(sentences) and _MATERIAL.search(sentences[0]) is not None
    for index, sentence in enumerate(sentences):
        if material and index and not _THEN.search(sentence):
            continue
        if _ASKS.search(sentence):
            asked = True
        elif _CHANGE.search(sentence) or _LATER.search(sentence) or _WISH.search(sentence):
            return True
    return False if asked else None


_CODING: Final = frozenset(
    b"python javascript typescript java rust golang sql regex bash powershell kubernetes dockerfile html css react numpy pandas stacktrace traceback"
    b" compile compiler refactor async json yaml api endpoint recursion git github linux unittest unittests debugger segfault typeerror nullpointerexception"
    b" algorithm leetcode haskell scala kotlin swift php perl django flask nodejs npm pip cmake makefile terraform ansible graphql postgres mysql".split()
)
_CODE_HINT: Final = re2.compile(
    r"```|\bdef [a-z_]+\(|\bclass [A-Z]\w*[:({]|\bfunction ?\w*\(|#include|\bSELECT\b.{1,200}\bFROM\b|=>|;\n|\bimport [a-z]+\n|\bC(?:\+\+|#)|</[a-z]+>|\b(?:this|my|the) (?:code|function|script|program|unit tests?|class method)\b"
)
_EXTRACTION: Final = re2.compile(
    r"(?i)\b(?:extract|pull out|parse|fill in|identify all|list all (?:the )?[a-z]+ (?:mentioned|in the)|(?:convert|turn|put|format) [^.\n]{1,80}(?:json|csv|table|xml|yaml)|as json|to json|into json|structured data|key[- ]value)\b"
)
_WRITING: Final = re2.compile(
    r"(?i)^\W*(?:(?:please|can you|could you|help me|i need you to|i want you to|would you) )*(?:write|draft|compose|rewrite|rephrase|paraphrase|proofread|edit|summari[sz]e|shorten|expand|polish|translate|outline|brainstorm|reply|respond|create an? (?:outline|story|poem|post|slogan|speech|email|letter|essay)|make (?:this|it) (?:sound|shorter|longer|more|less))\b"
)


def family(text: str, words: list[bytes]) -> Family:
    """Name the kind of work a request is that no trained intent knows: code before extraction before writing before action, else a question."""
    if not _CODING.isdisjoint(words) or _CODE_HINT.search(text):
        return "extraction" if _EXTRACTION.search(text) and "```" not in text else "coding"
    if _EXTRACTION.search(text):
        return "extraction"
    if _WRITING.search(text):
        return "writing"
    return "action" if asks_for_change(text) else "question"


_BATCH: Final = re2.compile(
    r"(?i)\b(?:for each of the (?:following|below|[0-9]+)|each of the (?:following|[0-9]+) (?:\w+ )?(?:items|rows|records|lines|reviews|tickets|documents|entries|texts)|(?:process|classify|label|translate|summari[sz]e|score) (?:all|each|every|these [0-9]+)\b"
    r"|batch (?:job|of|process)|every (?:row|line|record) (?:of|in)|one (?:result|answer|json object|line) per (?:line|row|item)|overnight)"
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


def compiled() -> tuple[Any, ...]:
    """Return the patterns, for the test that each stays within its automaton's memory."""
    return (_CHANGE, _LATER, _WISH, _ASKS, _MATERIAL, _CODE_HINT, _EXTRACTION, _WRITING, _BATCH)
