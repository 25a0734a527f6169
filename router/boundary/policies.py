"""What are the policies called, and what do they say for themselves? Read once, so that a verdict can name who spoke."""

import json
from dataclasses import dataclass

from cedarpy import policies_to_json_str

from router.contract import Effect, PolicyFired


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A Cedar policy as an auditor names it: Cedar's own number for it, its `@id`, its `@reason`, its effect."""

    number: str
    id: str | None
    reason: str | None
    effect: Effect

    def fired(self) -> PolicyFired:
        """Return the policy as a decision cites it."""
        return PolicyFired(id=self.id or self.number, effect=self.effect, because=self.reason or "no reason given")


def read_policies(text: str) -> tuple[PolicyText, ...]:
    """List the policies of some Cedar text in its order. Raises ValueError when it does not parse."""
    found = json.loads(policies_to_json_str(text))["staticPolicies"]
    policies = [
        PolicyText(
            number,
            policy.get("annotations", {}).get("id"),
            policy.get("annotations", {}).get("reason"),
            policy["effect"],
        )
        for number, policy in found.items()
    ]
    return tuple(sorted(policies, key=lambda policy: int(policy.number.removeprefix("policy"))))
