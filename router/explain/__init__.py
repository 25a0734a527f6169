"""What happened to this request, in sentences a manager understands."""

from router.explain.story import explain, explain_line

__all__ = ["explain", "explain_line"]
