"""How does vLLM turn texts into embeddings? Each message of a call is one text; they come back in whatever order they are ready."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import torch
from typing_extensions import override
from vllm import AsyncEngineArgs
from vllm.exceptions import VLLMClientError
from vllm.inputs import TextPrompt
from vllm.pooling_params import PoolingParams
from vllm.v1.engine.async_llm import AsyncLLM

from models.spec import ModelSpec
from router.errors import BadRequest, ContextTooLong, LaneMisbehaved, LaneUnreachable
from router.lane import Embedding, LaneCall, LaneEvent, Stop, Usage
from serving.private.arguments import engine_settings
from serving.private.engine import WARM_UP_SECONDS, PrivateEngine, prepare_environment, warm_up_call
from serving.private.vitals import VitalsLog

_POOLING: Final = PoolingParams(task="embed")


class Embedder(PrivateEngine):
    """One vLLM engine that pools. Made by `start`, which returns once it has embedded a text."""

    @classmethod
    @override
    async def start(cls, spec: ModelSpec, folder: Path) -> "Embedder":
        prepare_environment(spec)
        log = VitalsLog()
        cpu = torch.cpu.get_capabilities() if spec.gpu is None else {}
        arguments = AsyncEngineArgs(runner="pooling", **engine_settings(spec, folder, cpu))
        engine = AsyncLLM.from_engine_args(arguments, stat_loggers=[lambda _config, _index: log])
        try:
            started = cls(spec, folder, engine, None, log)
            async with asyncio.timeout(WARM_UP_SECONDS):
                async for _ in started.stream(warm_up_call(spec, None)):
                    pass
        except BaseException:
            engine.shutdown()
            raise
        return started

    @override
    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Embed a call's messages, all at once: the engine batches them. Raises `ContextTooLong` or `BadRequest` naming the text."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._embed(call, index)) for index in range(len(call.messages))]
        except* (BadRequest, LaneUnreachable, LaneMisbehaved) as failed:
            raise failed.exceptions[0] from None
        results = [task.result() for task in tasks]
        tokens = sum(count for _, count in results)
        yield (*(event for event, _ in results), Usage(tokens, 0), Stop("stop", self.version_of(call.model)))

    async def _embed(self, call: LaneCall, index: int) -> tuple[Embedding, int]:
        request_id = f"{call.trace_id}-{call.attempt}-{index}"
        # Salted as a chat's: a causal model keeps the beginnings of what it embeds as well.
        prompt = TextPrompt(prompt=call.messages[index].text)
        if call.cache_salt is not None:
            prompt["cache_salt"] = call.cache_salt
        try:
            async for output in self.engine.encode(prompt, _POOLING, request_id):
                numbers = output.outputs.data.to(torch.float32).numpy().astype("<f4").tobytes()
                return Embedding(index, numbers), len(output.prompt_token_ids)
        except VLLMClientError as error:
            if "context length" in str(error):
                limit = self.spec.context_tokens
                because = f"input[{index}] is longer than the {limit} tokens that {self.spec.name} takes: split it"
                raise ContextTooLong(because, "input") from error
            raise BadRequest(f"input[{index}]: {error}", "input") from error
        except Exception as error:
            if self.dead:
                raise LaneUnreachable(call.lane, "the engine died while it answered") from error
            raise
        raise LaneMisbehaved(call.lane, "the engine gave no embedding")
