"""Do a tool call's arguments meet the tool's schema? Asked of every lane: vLLM 0.32 and providers were seen to break it.

A named tool choice on a small model was seen to come back as a bare string, so arguments are an object whatever the schema leaves out.
"""

from collections.abc import Iterable, Mapping

from router.contract import ToolSpec
from router.exact.wording import short
from router.lane import ToolCallDelta
from router.validate.answer import ANY_OBJECT, AnswerContract, Validity, validate_answer
from router.validate.prefix import PrefixChecker


def validate_arguments(tool: str, arguments: str, tools: Iterable[ToolSpec]) -> Validity:
    """Hold a call's arguments (JSON text; none is `{}`) against the schema of the tool of that name among those offered."""
    schema = next((one.parameters_json for one in tools if one.name == tool), None)
    if schema is None:
        return Validity(valid=False, errors=(f"`{short(tool)}` is no tool that was offered",))
    text = arguments.strip() or ANY_OBJECT
    errors = validate_answer(text, ANY_OBJECT).errors or validate_answer(text, schema).errors
    return Validity(valid=not errors, errors=tuple(f"arguments of `{short(tool)}`: {error}" for error in errors))


class ToolCallChecker:
    """Follows the tool calls of one streamed answer, each by its index, and holds each against its tool."""

    def __init__(self, tools: Iterable[ToolSpec]) -> None:
        self._tools: Mapping[str, ToolSpec] = {tool.name: tool for tool in tools}
        self._names: dict[int, str] = {}
        self._checkers: dict[int, PrefixChecker] = {}

    @property
    def called(self) -> bool:
        """Whether any tool was called."""
        return bool(self._names or self._checkers)

    def feed(self, delta: ToolCallDelta) -> str | None:
        """Take the next piece of a call. Returns the breach if what came can't become a valid call any more."""
        if delta.name:
            self._names[delta.index] = delta.name
        name = self._names.get(delta.index)
        if name is None:
            return None if not delta.arguments else "a tool call's arguments came before its name"
        if name not in self._tools:
            return f"`{short(name)}` is no tool that was offered"
        checker = self._checkers.setdefault(delta.index, PrefixChecker(self._contract(name)))
        breach = checker.feed(delta.arguments)
        return None if breach is None else f"arguments of `{short(name)}`: {breach.because}"

    def close(self) -> Validity:
        """Hold every call as a whole against its tool. Without a call all is well."""
        errors: list[str] = []
        for index, name in self._names.items():
            text = self._checkers[index].text if index in self._checkers else ""
            errors += validate_arguments(name, text, self._tools.values()).errors
        return Validity(valid=not errors, errors=tuple(errors))

    def _contract(self, name: str) -> AnswerContract:
        return AnswerContract(name, self._tools[name].parameters_json)
