"""What does a person's yes cover? One tool, of one tenant, with exactly these arguments; a changed comma is another call."""

from dataclasses import dataclass

from router.contract import Sha256
from router.errors import ApprovalMismatch
from router.tools.use import ToolUse


@dataclass(frozen=True, slots=True)
class ApprovalBinding:
    """What an approval is bound to when it is asked for, and held against when it is used. `arguments_sha256`: of the canonical JSON."""

    org: str
    tool: str
    arguments_sha256: Sha256

    @property
    def text(self) -> str:
        """One line that names the call: what a store keeps, and compares."""
        return f"{self.org}\n{self.tool}\n{self.arguments_sha256}"


def binding_of(use: ToolUse) -> ApprovalBinding:
    """Return what an approval for this call must be bound to. Raises `ToolArgumentsInvalid` for arguments that are none."""
    return ApprovalBinding(use.org, use.tool, use.arguments_sha256)


def check_binding(granted: ApprovalBinding, use: ToolUse) -> None:
    """Raise `ApprovalMismatch` unless the approval is for exactly this call."""
    wanted = binding_of(use)
    if granted.org != wanted.org:
        raise ApprovalMismatch(use.tool, "the approval is another tenant's")
    if granted.tool != wanted.tool:
        raise ApprovalMismatch(use.tool, "the approval is for another tool")
    if granted.arguments_sha256 != wanted.arguments_sha256:
        raise ApprovalMismatch(use.tool, "the approval is for other arguments than these")
