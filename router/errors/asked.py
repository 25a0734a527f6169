"""What is wrong with what was asked, or with who asks for it?"""

from router.errors.root import RouterError


class BadRequest(RouterError):
    """The request can't be understood or is not allowed in this form. `param` names the field."""

    status = 400
    code = "invalid_request"
    exit_code = 2

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnsupportedField(BadRequest):
    """A field that this gateway refuses: silence would leave the caller believing it took effect."""

    code = "unsupported_parameter"


class ContextTooLong(BadRequest):
    """Prompt and answer together exceed the model's context."""

    code = "context_length_exceeded"


class SchemaRefused(BadRequest):
    """The response schema is no JSON Schema, or one that no lane can enforce."""

    code = "invalid_json_schema"


class NotAuthenticated(RouterError):
    """No API key, or one the bundle's tenants don't hold."""

    status = 401
    code = "invalid_api_key"
    exit_code = 2


class NotPermitted(RouterError):
    """The key is known, and neither its scopes nor its clearance reach what was asked."""

    status = 403
    code = "not_permitted"


class PolicyDenied(RouterError):
    """Every lane that could answer is closed to this request's label. `policies` holds the IDs that said so."""

    status = 403
    code = "policy_denied"

    def __init__(self, message: str, policies: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.policies = policies


class UnknownModel(RouterError):
    """The request names neither `auto`, a lane, nor a model."""

    status = 404
    code = "model_not_found"
    exit_code = 2


class UnknownTrace(RouterError):
    """No evidence is kept under this trace ID for this tenant."""

    status = 404
    code = "trace_not_found"
