"""Can the private lanes' engine hold an answer to this schema exactly? Asked before any model is."""

from router.enforce.verdict import Enforceable, Refused, enforceable, engine_schema, refuse_unenforceable

__all__ = ["Enforceable", "Refused", "enforceable", "engine_schema", "refuse_unenforceable"]
