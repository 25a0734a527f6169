"""What can the boundary be asked? One frozen value for each action: what it holds is all that a verdict depends on.

Every part is of a finite type (a name of the bundle, an enumeration, a set of one), so a verdict is a finite function of the question:
it can be kept, tabulated and proved.
"""

from dataclasses import dataclass
from typing import Literal

from router.boundary.vocabulary import Json, Vocabulary, reference, uid
from router.contract import Concern, Label, RiskTier


@dataclass(frozen=True, slots=True)
class SendQuestion:
    """May this tenant's text go to this lane?

    `label` is that of the bytes which would be sent. `attack` and `harm`: how much the request looks like either. `redacted`: the
    categories that placeholders took the place of on the way to this lane; `label` no longer holds them.
    """

    org: str
    lane: str
    label: Label
    tier: RiskTier
    attack: Concern = "clear"
    harm: Concern = "clear"
    redacted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolQuestion:
    """May this tool be called with what a text under this label may have put into its arguments?"""

    org: str
    tool: str
    label: Label
    tier: RiskTier
    attack: Concern = "clear"
    harm: Concern = "clear"


@dataclass(frozen=True, slots=True)
class RetrieveQuestion:
    """May this tenant read this index, with a query under this label?"""

    org: str
    index: str
    label: Label
    tier: RiskTier
    attack: Concern = "clear"
    harm: Concern = "clear"


@dataclass(frozen=True, slots=True)
class StoreQuestion:
    """May what is kept of a text under this label rest in this store?"""

    org: str
    store: str
    label: Label


@dataclass(frozen=True, slots=True)
class ApproveQuestion:
    """May this user (a key of the tenant) approve that a text under this label goes to this lane, or that this tool is called?

    `own`: it is the user's own request.
    """

    org: str
    user: str
    kind: Literal["Lane", "Tool"]
    name: str
    label: Label
    tier: RiskTier
    own: bool = False


Question = SendQuestion | ToolQuestion | RetrieveQuestion | StoreQuestion | ApproveQuestion


def user_name(org: str, key: str) -> str:
    """Return what a key of a tenant is called as a user."""
    return f"{org}/{key}"


def authorization_request(question: Question, vocabulary: Vocabulary) -> Json:
    """Return the question as Cedar takes it."""
    match question:
        case SendQuestion():
            redacted = vocabulary.held_categories(question.redacted)
            context = _held(question.label, vocabulary) | _risk(question) | {"redacted": redacted}
            return _request("send", uid("Tenant", question.org), uid("Lane", question.lane), context)
        case ToolQuestion():
            context = _held(question.label, vocabulary) | _risk(question)
            return _request("call_tool", uid("Tenant", question.org), uid("Tool", question.tool), context)
        case RetrieveQuestion():
            context = _held(question.label, vocabulary) | _risk(question)
            return _request("retrieve", uid("Tenant", question.org), uid("Index", question.index), context)
        case StoreQuestion():
            context = _held(question.label, vocabulary)
            return _request("store", uid("Tenant", question.org), uid("Store", question.store), context)
        case ApproveQuestion():
            user = uid("User", user_name(question.org, question.user))
            risk = {"risk_tier": reference("RiskTier", question.tier), "own": question.own}
            context = _held(question.label, vocabulary) | risk
            return _request("approve", user, uid(question.kind, question.name), context)


def _request(action: str, principal: Json, resource: Json, context: Json) -> Json:
    return {"principal": principal, "action": uid("Action", action), "resource": resource, "context": context}


def _held(label: Label, vocabulary: Vocabulary) -> Json:
    return {
        "level": reference("Level", label.level),
        "categories": vocabulary.held_categories(label.categories),
        "jurisdictions": vocabulary.held_jurisdictions(label.jurisdictions),
    }


def _risk(question: SendQuestion | ToolQuestion | RetrieveQuestion) -> Json:
    return {
        "risk_tier": reference("RiskTier", question.tier),
        "attack": reference("Concern", question.attack),
        "harm": reference("Concern", question.harm),
    }
