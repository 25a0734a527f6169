"""`lane tools`, a question a module: shown, imported, asked of servers, called."""

from cli.tools.app import tools_app

__all__ = ["tools_app"]
