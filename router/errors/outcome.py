"""What is a caller told of an error? The one table: HTTP status, OpenAI code and type, and the exit code of the command."""

from dataclasses import dataclass

from router.errors.root import RouterError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a caller is told: HTTP status, OpenAI `error.code` and `error.type`, and the CLI's exit code."""

    status: int
    code: str
    type: str
    exit_code: int


_TYPE_OF_STATUS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def outcome_of(error: BaseException) -> Outcome:
    """Return the one table's row for an error; whatever is not ours is an internal error and tells nothing."""
    if not isinstance(error, RouterError):
        return Outcome(500, "internal_error", "server_error", 1)
    fallback = "invalid_request_error" if error.status < 500 else "server_error"
    return Outcome(error.status, error.code, _TYPE_OF_STATUS.get(error.status, fallback), error.exit_code)
