"""What is this request about, and how sensitive is all that would become its prompt? What could not be judged is restricted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from router.bundle import Bundle
from router.bundle.files import Alarming, Band, TenantSpec
from router.bundle.variables import TopicHeads, variables_of
from router.context import context_alarms
from router.contract import (
    Alarm,
    Concern,
    Finding,
    Label,
    Message,
    PolicyFired,
    RiskTier,
    RouteRequest,
    SpanLabel,
    Topic,
)
from router.decide.spans import EXTRAS, SEEN, label_of, span, spans_of
from router.labels import RESTRICTED, highest, join
from router.rules import Facts, RuleError
from router.state import State

Scan = Callable[[str, int], tuple[Finding, ...]]

_MESSAGE_TOKENS: Final = 8
_IMAGE_TOKENS: Final = 1000
_TOPIC_CHARACTERS: Final = 4000
_SHORT_REPLY: Final = 24
_NOT_CLASSIFIED: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found: the label of the prompt and of its parts, the topic, and (`failed`) why it could not be judged, if so.

    `declared` is the part of the label that no finding gave it: what is declared, known from before, or could not be read.
    """

    label: Label
    declared: Label
    spans: tuple[SpanLabel, ...]
    findings: tuple[Finding, ...]
    topic: Topic
    text: str
    input_tokens: int
    attack: Concern = "clear"
    harm: Concern = "clear"
    failed: str | None = None

    @property
    def flagged(self) -> tuple[Alarming, ...]:
        """What the request is flagged as. What could not be judged takes the closed path instead: no alarm is known of it."""
        alarms: dict[Alarming, Concern] = {"attack": self.attack, "harm": self.harm}
        return tuple(name for name, concern in alarms.items() if concern == "flagged" and self.failed is None)


def judge(request: RouteRequest, bundle: Bundle, state: State, tenant: TenantSpec, scan: Scan) -> Judgement:
    """Scan, classify and label. Never raises for what a detector does: a failure makes the request restricted.

    Each message is scanned by itself, so that a conversation's earlier turns give the same findings turn after turn. The broad
    excepts are the point: whatever a detector raises, the text counts as unread.
    """
    failures: list[str] = []
    findings: tuple[Finding, ...] = ()
    try:
        findings = _scan_all(request, scan)
    except Exception as error:  # noqa: BLE001
        failures.append(f"the scan failed ({type(error).__name__})")
    text = _last_user_text(request)
    try:
        topic = _alarmed(bundle.heads.topic(text, request.mode), request, bundle.heads)
    except Exception as error:  # noqa: BLE001
        failures.append(f"the classifier failed ({type(error).__name__})")
        topic = Topic(
            intent=_NOT_CLASSIFIED, confidence=0, domain=_NOT_CLASSIFIED, mode=request.mode or "chat", out_of_scope=True
        )
    findings += tuple(finding for finding in state.late_findings if finding not in findings)
    spans = spans_of(request, state, tenant, findings, bundle.tiers)
    judgement = Judgement(
        label=label_of(spans),
        declared=label_of(one for one in spans if one.because not in SEEN),
        spans=spans,
        findings=findings,
        topic=topic,
        text=text,
        input_tokens=estimate_tokens(request),
        attack=concern_of(topic.attack, bundle.tiers.concerns.attack),
        harm=concern_of(topic.harm, bundle.tiers.concerns.harm),
    )
    return failed(judgement, " and ".join(failures)) if failures else judgement


def _alarmed(topic: Topic, request: RouteRequest, heads: TopicHeads) -> Topic:
    """Return the topic with the loudest alarm of what strangers may have written: context, tools' results, earlier words of the user."""
    last = max((index for index, message in enumerate(request.messages) if _said_by_user(message)), default=None)
    heard = [
        context_alarms(message.text, heads) if message.origin == "context" else heads.alarms(message.text)
        for index, message in enumerate(request.messages)
        if message.role == "tool" or message.origin != "caller" or (message.role == "user" and index != last)
    ]
    if not heard:
        return topic
    return topic.model_copy(
        update={
            "attack": max(topic.attack, *(one.attack for one in heard), key=_loudness),
            "harm": max(topic.harm, *(one.harm for one in heard), key=_loudness),
        }
    )


def _said_by_user(message: Message) -> bool:
    return message.role == "user" and message.origin == "caller"


def _loudness(alarm: Alarm) -> tuple[bool, float]:
    return alarm.flag, alarm.score


def failed(judgement: Judgement, because: str) -> Judgement:
    """Return the judgement of something that could not be judged: restricted and suspect, whatever else was found."""
    unread = span(None, RESTRICTED, "unread")
    return replace(
        judgement,
        label=join(judgement.label, unread.label),
        spans=(*judgement.spans, unread),
        attack="flagged",
        harm="flagged",
        failed=because,
    )


def concern_of(alarm: Alarm, band: Band) -> Concern:
    """Return the band that an alarm is in. What the classifier itself flags is flagged, whatever the bundle's bands."""
    if alarm.flag or (band.flagged is not None and alarm.score >= band.flagged):
        return "flagged"
    return "suspected" if alarm.score >= band.suspected else "clear"


def _scan_all(request: RouteRequest, scan: Scan) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for index, message in enumerate(request.messages):
        if text := message.text:
            found.extend(scan(text, index))
    if extras := _extras(request):
        found.extend(scan(extras, EXTRAS))
    return tuple(found)


def _extras(request: RouteRequest) -> str:
    """What becomes part of the prompt beside the messages."""
    tools = [f"{tool.name}\n{tool.description}\n{tool.parameters_json}" for tool in request.client_tools]
    return "\n".join([*tools, request.response_format.json_schema or "", *request.sampling.stop]).strip()


def _last_user_text(request: RouteRequest) -> str:
    """The last thing the user said; with what they said before it, when it is too short to mean anything by itself ("yes, do it")."""
    said = [message.text for message in request.messages if _said_by_user(message)] or [request.messages[-1].text]
    last = said[-1][:_TOPIC_CHARACTERS]
    if len(last) < _SHORT_REPLY and len(said) > 1:
        return f"{said[-2][-_TOPIC_CHARACTERS // 4 :]}\n{last}"
    return last


def estimate_tokens(request: RouteRequest) -> int:
    """Estimate the prompt's tokens, rather too many than too few: a token for three bytes of UTF-8, plus each message's frame.

    English runs at four to five bytes a token, Chinese at three, code at about three.
    """
    size = len(_extras(request).encode("utf-8", "replace"))
    tokens = 0
    for message in request.messages:
        size += len(message.text.encode("utf-8", "replace"))
        tokens += _MESSAGE_TOKENS + _IMAGE_TOKENS * sum(part.type != "text" for part in message.content)
    return tokens + -(-size // 3)


def judge_tier(
    request: RouteRequest, bundle: Bundle, judgement: Judgement
) -> tuple[RiskTier, tuple[PolicyFired, ...], Facts]:
    """Return the highest tier that a rule gives, the rules that fired, and what routes are chosen by. A rule that errors is restricted."""
    variables = variables_of(request, judgement.label, judgement.topic, judgement.text, judgement.input_tokens)
    variables |= {"attack": judgement.attack, "harm": judgement.harm}
    facts = Facts.of({name: value for name, value in variables.items() if name in bundle.asked})
    tiers: list[RiskTier] = []
    fired: list[PolicyFired] = []
    for rule in bundle.tier_rules:
        try:
            if rule.when.holds(facts):
                tiers.append(rule.spec.tier)
                fired.append(PolicyFired(id=rule.spec.id, effect="tier", because=rule.spec.because))
        except RuleError as error:
            tiers.append("restricted")
            fired.append(PolicyFired(id=rule.spec.id, effect="tier", because=f"could not be evaluated: {error}"))
    tier = "restricted" if judgement.failed else highest(tiers)
    facts.add("risk_tier", tier)
    return tier, tuple(fired), facts
