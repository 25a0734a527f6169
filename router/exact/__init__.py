"""What does a JSON text say, exactly, and does it meet a schema? The one way through for answers, contracts, tools and results."""

from router.exact.canonical import canonical_json, text_sha256
from router.exact.parsing import NotJson, parse_json
from router.exact.schema import breaches, check_schema, validator_of

__all__ = ["NotJson", "breaches", "canonical_json", "check_schema", "parse_json", "text_sha256", "validator_of"]
