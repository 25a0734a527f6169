"""What is asked of a server-side tool, and what comes back of it? Values that cross process lines; nothing here calls anything."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from router.contract import Concern, Label, RiskTier
from router.exact import text_sha256
from router.tools.arguments import canonical_arguments

Ended = Literal["answered", "declined"]
"""`declined`: the tool worked, and its answer is that it can't (no such ticket, say). Whatever else goes wrong is a `ToolError`."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call of a tool. `arguments_json` is a JSON object as text, however the model or the router wrote it.

    `label` is that of the arguments: what was put into them came from a text under it. `risk_tier`, `attack`, `harm` are the
    decision's; left out, the tier is the one under which a tool may do least. `approval` is the ID of a person's approval, for a tool
    that changes anything, and for any other where the plan says so (`needs_approval`). `idempotency_key` None takes `default_key`.
    `seconds_left` shortens the tool's own timeout.
    """

    trace_id: str
    attempt: int
    tool: str
    arguments_json: str
    org: str
    label: Label
    idempotency_key: str | None = None
    approval: str | None = None
    needs_approval: bool = False
    risk_tier: RiskTier = "restricted"
    attack: Concern = "clear"
    harm: Concern = "clear"
    seconds_left: float | None = None

    @property
    def arguments_sha256(self) -> str:
        """What an approval binds to: the SHA-256 of the arguments' canonical JSON. Raises `ToolArgumentsInvalid`."""
        return text_sha256(canonical_arguments(self.tool, self.arguments_json))

    @property
    def key(self) -> str:
        """The idempotency key that the tool is given: a hash, so that it says nothing of whoever chose one."""
        if self.idempotency_key is not None:
            return default_key("", self.tool, self.idempotency_key)
        return default_key(self.trace_id, self.tool, self.arguments_sha256)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool said. `text` is what may become part of a prompt: data, never instruction. `json` is its canonical JSON, if it is JSON.

    `label` is the join of the tool's own, the arguments' and what was found in the text. `concern` is how much the text looks like
    an attempt to instruct the model. `approval` is the one that was used up, if one was.
    """

    text: str
    json: str | None
    label: Label
    ended: Ended
    seconds: float
    arguments_sha256: str
    concern: Concern = "clear"
    approval: str | None = None

    @property
    def sha256(self) -> str:
        """The text's SHA-256: what the evidence keeps of it."""
        return text_sha256(self.text)


def default_key(trace_id: str, tool: str, arguments_sha256: str) -> str:
    """Return the same key for the same call of the same request, however often it is tried: a retry must not act twice."""
    return hashlib.sha256(f"{trace_id}\n{tool}\n{arguments_sha256}".encode()).hexdigest()[:32]
