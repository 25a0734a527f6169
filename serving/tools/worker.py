"""Where does a bundle's own code run? One call at a time, in a process that can be killed and knows only what its tools name.

Started by `serving.tools.workers` as `python -m serving.tools.worker`. A question is `{"kind", "entry", "arguments", "key", "pin"}`, an
answer one of `{"result"}`, `{"declined"}`, `{"changed"}` (the definition's hash) and `{"failed"}` (a type's name).
"""

import argparse
import asyncio
import importlib.util
import inspect
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final

from serving.frames import encode, only_for_frames, read_frame
from serving.processes import die_with_parent
from serving.tools.declined import Declined

_CONNECTS: Final = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
)
log = logging.getLogger(__name__)

_KEY: Final = "idempotency_key"


class NoNetwork(RuntimeError):
    """A tool that was not given the network tried to use it."""


def main() -> None:
    """Load the tools, say so, and answer until the other side closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--network", action="store_true")
    parser.add_argument("--module", action="append", default=[])
    given = parser.parse_args()
    die_with_parent(given.parent)
    # The bundle's folder is part of its hash: a cache file would change it.
    sys.dont_write_bytecode = True
    answers = only_for_frames()
    if not given.network:
        stay_off_the_network()
    answer_all(sys.stdin.buffer, answers, _Tools(given.folder, given.module))


def stay_off_the_network() -> None:
    """Have this process refuse every connection and every name look-up, for good. Keeps honest code honest; it is no sandbox."""

    def refuse(event: str, _: tuple[Any, ...]) -> None:
        if event in _CONNECTS:
            raise NoNetwork(f"this tool's source says nothing of `network: true` ({event})")

    sys.addaudithook(refuse)


def answer_all(questions: BinaryIO, answers: BinaryIO, tools: "_Tools") -> None:
    """Answer every question. A tool that breaks fails its own call and no other."""
    _say(answers, encode({"ready": True}))
    while (question := read_frame(questions)) is not None:
        _say(answers, _answer(question, tools))


class _Tools:
    """The bundle's modules, loaded once each. One that can't be loaded fails its tools' calls."""

    def __init__(self, folder: Path, modules: Sequence[str]) -> None:
        self._folder = folder
        self._loaded: dict[str, ModuleType | Exception] = {}
        sys.path.append(str(folder))
        for name in modules:
            try:
                self._loaded[name] = _load(folder, name)
            except Exception as error:  # noqa: BLE001 - the bundle's code may raise anything; its calls say so
                self._loaded[name] = error

    def find(self, entry: str) -> Any:
        module, _, name = entry.partition(":")
        found = self._loaded.get(module) or _load(self._folder, module)
        if isinstance(found, Exception):
            raise found
        return getattr(found, name)


def _load(folder: Path, module: str) -> ModuleType:
    """Load `<folder>/<module>.py` itself, whatever else bears that name."""
    spec = importlib.util.spec_from_file_location(f"lane_bundle_tools.{module}", folder / f"{module}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"tools/{module}.py can't be loaded")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def _answer(question: Mapping[str, Any], tools: _Tools) -> bytes:
    """Whatever a tool raises becomes its call's failure. Its type alone is told: its words may hold what was put in."""
    try:
        tool = tools.find(question["entry"])
        if question["kind"] == "langchain":
            return _answer_langchain(tool, question)
        return encode({"result": _called(tool, question)})
    except Declined as answer:
        return encode({"declined": str(answer)})
    except Exception as error:  # noqa: BLE001
        log.warning("tool %s raised %s", question.get("entry"), type(error).__name__)
        return encode({"failed": type(error).__name__})


def _called(function: Any, question: Mapping[str, Any]) -> Any:
    arguments = dict(question["arguments"])
    if _KEY in inspect.signature(function).parameters:
        arguments[_KEY] = question["key"]
    value = function(**arguments)
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def _answer_langchain(tool: Any, question: Mapping[str, Any]) -> bytes:
    """Call a LangChain tool, if it is still the one that was approved."""
    from serving.tools.langchain import invoke, pin_of

    if (pin := pin_of(tool)) != question["pin"]:
        return encode({"changed": pin})
    return encode({"result": invoke(tool, question["arguments"])})


def _say(answers: BinaryIO, frame: bytes) -> None:
    answers.write(frame)
    answers.flush()


if __name__ == "__main__":
    main()
