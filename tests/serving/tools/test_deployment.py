"""The deployment's replica and its client, without a cluster between them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from router.bundle import Bundle
from router.errors import ToolFailed, ToolTimeout
from serving.settings import Settings
from tests.serving.tools.kit import use

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own, when it is imported


class Handle:
    """What stands for a deployment's handle: it calls a function and wraps what that raises, as Ray does."""

    class _Wrapped(Exception):
        def __init__(self, cause: BaseException) -> None:
            self.cause = cause

    def __init__(self, run: Any) -> None:
        self._run = run

    @property
    def run(self) -> "Handle":
        return self

    async def remote(self, *arguments: Any) -> Any:
        try:
            return await self._run(*arguments)
        except Exception as error:
            raise Handle._Wrapped(error) from error


def test_a_call_goes_to_the_replica_and_comes_back(starter: Bundle, tmp_path: Path) -> None:
    deployment = pytest.importorskip("serving.tools.deployment", reason="Ray is not installed here")
    settings = Settings(home=tmp_path, bundle=starter.root, models=tmp_path)

    async def scenario() -> Any:
        replica = deployment.ToolboxReplica(settings, starter.root)
        try:
            await replica.check_health()
            runner = deployment.RemoteRunner(Handle(replica.run))
            one = use(arguments_json='{"ticket_id":"TCK-1042"}')
            return await runner.run(starter.tools["ticket_lookup"], one, 10.0)
        finally:
            await replica._sources.close()

    assert '"order_id":"ORD-5567"' in asyncio.run(scenario()).text


@pytest.mark.parametrize("error", [ToolTimeout("t", "late"), RuntimeError("hunter2")])
def test_a_tool_s_error_crosses_as_itself_and_any_other_tells_nothing(starter: Bundle, error: Exception) -> None:
    deployment = pytest.importorskip("serving.tools.deployment", reason="Ray is not installed here")

    async def broken(*_: Any) -> Any:
        raise error

    with pytest.raises((ToolTimeout, ToolFailed)) as raised:
        asyncio.run(deployment.RemoteRunner(Handle(broken)).run(starter.tools["ticket_lookup"], use(), 1.0))

    assert type(raised.value) is (ToolTimeout if isinstance(error, ToolTimeout) else ToolFailed)
    assert "hunter2" not in str(raised.value)
