"""Server-side tools, as far as they are values: what is asked and answered, what an approval binds to, what bounds a loop."""

from router.tools.use import Ended, ToolResult, ToolUse, default_key

__all__ = ["Ended", "ToolResult", "ToolUse", "default_key"]
