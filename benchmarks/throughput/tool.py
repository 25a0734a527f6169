"""Who runs the load tool? A child process for a whole sweep, told each order and heard until it reports."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from benchmarks.throughput.engine import EngineFacts
from benchmarks.throughput.orders import Answered, Order
from models.spec import ModelSpec
from router.errors import RouterError

_END_SECONDS = 30.0


class LoadToolFailed(RouterError):
    """The load tool ended, or said what it should not; the message ends with the last it wrote."""

    code = "load_tool_failed"


class LoadTool:
    """A running load tool; made by `load_tool`."""

    def __init__(self, child: "subprocess.Popen[bytes]", log: BinaryIO) -> None:
        self._orders, self._reports = cast("BinaryIO", child.stdin), cast("BinaryIO", child.stdout)
        self._log = log
        self.engine = EngineFacts.model_validate(self._report()["engine"])

    def send(self, order: Order, ended: Callable[[], None]) -> Answered:
        """Carry out an order; `ended` is called as each request ends. Raises `LoadToolFailed`."""
        try:
            self._orders.write(order.model_dump_json().encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError as error:
            raise self._failed() from error
        while "result" not in (report := self._report()):
            ended()
        return Answered.model_validate(report["result"])

    def _report(self) -> dict[str, Any]:
        """Wait for the next report."""
        line = self._reports.readline()
        if not line:
            raise self._failed()
        report: dict[str, Any] = orjson.loads(line)
        return report

    def _failed(self) -> LoadToolFailed:
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
        return LoadToolFailed(f"vLLM's load tool ended early:\n{self._log.read().decode(errors='replace')}")


@contextmanager
def load_tool(spec: ModelSpec, folder: Path, key: str | None) -> Generator[LoadTool]:
    """Start the load tool for a model, which asks with this API key, and end it with the block."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    environment |= {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    # An empty proxy list: the load goes to this machine, whatever the environment says of the way out.
    environment |= {"NO_PROXY": "*", "no_proxy": "*"} | ({"OPENAI_API_KEY": key} if key else {})
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [
                sys.executable,
                "-m",
                "benchmarks.throughput.client",
                "--spec",
                spec.model_dump_json(),
                "--folder",
                str(folder),
            ],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            process_group=0,
        )
        try:
            yield LoadTool(child, log)
        finally:
            cast("BinaryIO", child.stdin).close()
            try:
                child.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            cast("BinaryIO", child.stdout).close()
