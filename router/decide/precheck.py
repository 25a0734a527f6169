"""What happens with a request that is flagged as an attack, or as asking for help to do harm? What its tier's profile says."""

from dataclasses import dataclass
from typing import Final

from router.bundle.files import Alarming, Response, TierProfile, TiersFile
from router.contract import Action, PolicyFired

_EFFECTS: Final[dict[Response, str]] = {
    "ignore": "nothing is done about it",
    "keep_private": "it is answered on our own nodes alone",
    "strip_tools": "it gets no tools",
    "person": "a person decides",
    "refuse": "it is refused",
}
_ENDS: Final[dict[Response, Action]] = {"refuse": "refuse", "person": "approval"}


@dataclass(frozen=True, slots=True)
class Reaction:
    """What the flags lead to: an end with its message, hosted lanes closed, tools taken away; each with the policy that says so."""

    action: Action | None = None
    message: str | None = None
    keeps_in: tuple[PolicyFired, ...] = ()
    strips: bool = False
    fired: tuple[PolicyFired, ...] = ()


def react(flagged: tuple[Alarming, ...], profile: TierProfile, tiers: TiersFile) -> Reaction:
    """Return what this tier does about these flags: each has its effect, and where both end the request a refusal outweighs a person."""
    responses: dict[Alarming, Response] = {"attack": profile.on_attack, "harm": profile.on_harm}
    acting = [(name, responses[name]) for name in flagged if responses[name] != "ignore"]
    fired = {name: _fired(name, response) for name, response in acting}
    action, message = None, None
    # A person's turn would be a detour to a request that is refused for another reason.
    for name, response in sorted(acting, key=lambda one: one[1] == "refuse"):
        if response in _ENDS:
            band = getattr(tiers.concerns, name)
            action = _ENDS[response]
            message = band.refusal if response == "refuse" else band.approval
    return Reaction(
        action=action,
        message=message,
        keeps_in=tuple(fired[name] for name, response in acting if response == "keep_private"),
        strips=any(response == "strip_tools" for _, response in acting),
        fired=tuple(fired.values()),
    )


def _fired(name: Alarming, response: Response) -> PolicyFired:
    looks = "it looks like an attack on the model" if name == "attack" else "it looks like asking for help to do harm"
    because = f"{looks}, and at this tier {_EFFECTS[response]}"
    return PolicyFired(id=f"on-{name}-{response.replace('_', '-')}", effect="forbid", because=because)
