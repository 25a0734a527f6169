"""Why was a server-side tool not called, or why can't its answer be used?"""

from typing_extensions import override

from router.errors.root import RouterError


class ToolError(RouterError):
    """A server-side tool was not called, or what it answered can't be used. `because` never quotes arguments or results."""

    status = 502
    code = "tool_error"

    def __init__(self, tool: str, because: str) -> None:
        super().__init__(f"tool {tool}: {because}")
        self.tool = tool
        self.because = because

    @override
    def __reduce__(self) -> tuple[type["ToolError"], tuple[str, str]]:
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.because)


class ToolUnknown(ToolError):
    """The bundle has no tool of this name, or none for this tenant."""

    status = 404
    code = "tool_not_found"
    exit_code = 2


class ToolArgumentsInvalid(ToolError):
    """The arguments break the tool's contract: it was not called. `errors` says what breaks where, without the values."""

    status = 422
    code = "tool_arguments_invalid"
    exit_code = 2

    def __init__(self, tool: str, errors: tuple[str, ...]) -> None:
        super().__init__(tool, f"its arguments break its contract: {'; '.join(errors)}")
        self.errors = errors

    @override
    def __reduce__(self) -> tuple[type["ToolArgumentsInvalid"], tuple[str, tuple[str, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.errors)


class ToolResultInvalid(ToolError):
    """The tool's result breaks its contract: none of it becomes part of a prompt. `errors` says what breaks where, without the values."""

    code = "tool_result_invalid"

    def __init__(self, tool: str, errors: tuple[str, ...]) -> None:
        super().__init__(tool, f"its result breaks its contract: {'; '.join(errors)}")
        self.errors = errors

    @override
    def __reduce__(self) -> tuple[type["ToolResultInvalid"], tuple[str, tuple[str, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.errors)


class ToolDenied(ToolError):
    """The boundary does not let this tool be called with what its arguments may hold. `policies` holds the IDs that said so."""

    status = 403
    code = "tool_denied"

    def __init__(self, tool: str, because: str, policies: tuple[str, ...] = ()) -> None:
        super().__init__(tool, because)
        self.policies = policies

    @override
    def __reduce__(self) -> tuple[type["ToolDenied"], tuple[str, str, tuple[str, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.because, self.policies)


class ApprovalNeeded(ToolError):
    """The tool changes something, and no approval of a person came with the call. `arguments` is the canonical text that needs one."""

    status = 403
    code = "approval_needed"

    def __init__(self, tool: str, because: str, arguments: str | None = None) -> None:
        super().__init__(tool, because)
        self.arguments = arguments

    @override
    def __reduce__(self) -> tuple[type["ApprovalNeeded"], tuple[str, str, str | None]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.because, self.arguments)


class ApprovalMismatch(ToolError):
    """The approval is for other arguments, another tool, another request or another tenant."""

    status = 403
    code = "approval_mismatch"


class ApprovalPending(ToolError):
    """The approval was asked for, and waits for a person."""

    status = 202
    code = "approval_pending"
    exit_code = 0


class ApprovalDenied(ToolError):
    """A person said no to this call. `because` holds their words."""

    status = 403
    code = "approval_denied"


class ApprovalExpired(ToolError):
    """Nobody said yes, or nothing was done by it, in time."""

    status = 410
    code = "approval_expired"


class ApprovalUsed(ToolError):
    """The approval was used, or settled otherwise, before: it is good for one call and one word."""

    status = 409
    code = "approval_used"


class ToolChanged(ToolError):
    """The tool's source defines it differently from what was approved (`lane tools approve`): it is not called."""

    status = 503
    code = "tool_changed"


class ToolLoop(ToolError):
    """A loop of model and tools reached its bound of calls, time, tokens or repetition."""

    code = "tool_loop"


class ToolTimeout(ToolError):
    """The tool did not answer in time. What it changes may or may not have happened: its idempotency key makes a retry safe."""

    status = 504
    code = "tool_timeout"


class ToolFailed(ToolError):
    """The tool could not be reached, or it broke."""

    code = "tool_failed"
