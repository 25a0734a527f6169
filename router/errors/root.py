"""What is every failure that a caller may see, whatever went wrong? A status, a code, an exit code and a sentence."""

from typing import ClassVar


class RouterError(Exception):
    """Root of every failure that a caller may see. The message says what is wrong, where, and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    exit_code: ClassVar[int] = 1
