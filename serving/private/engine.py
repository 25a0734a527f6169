"""How is a lane call answered by vLLM? With `embedder`, the one module that imports vLLM.

vLLM's own OpenAI chat object is used without its HTTP server: its templates, parsers, stop handling and constrained decoding, no port.
"""

import asyncio
import os
from argparse import Namespace
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
import torch
from pydantic import ValidationError
from starlette.datastructures import State
from vllm import AsyncEngineArgs
from vllm.config import StructuredOutputsConfig
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.cli_args import FrontendArgs
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.models.protocol import LoRAModulePath
from vllm.platforms import current_platform
from vllm.v1.engine.async_llm import AsyncLLM

from models.manifest import weights_hash
from models.spec import ModelSpec
from router.contract import Label, Message, Sampling, TextPart
from router.errors import (
    BadRequest,
    ContextTooLong,
    LaneMisbehaved,
    LaneOverloaded,
    LaneUnreachable,
    RouterError,
    SchemaRefused,
)
from router.lane import LaneCall, LaneEvent
from router.validate import check_schema
from serving.private.arguments import adapter_folders, engine_settings, environment_settings
from serving.private.vitals import Vitals, VitalsLog
from serving.private.wire import Abilities, ChunkReader, chat_body

WARM_UP_SECONDS: Final = 600.0
"""An engine that has not answered its first calls by then is not ready, and never will be."""


class PrivateEngine:
    """One vLLM engine and what it has open. Made by `start`, which returns once it has answered a call of each kind."""

    def __init__(self, spec: ModelSpec, folder: Path, engine: AsyncLLM, chat: Any, log: VitalsLog) -> None:
        self.spec, self.engine, self._chat, self._log = spec, engine, chat, log
        # An adapter's answers have two parents: both are told.
        base = weights_hash(folder)
        hashes = {name: weights_hash(path) for name, path in adapter_folders(spec, folder).items()}
        self._versions = {spec.name: base} | {name: f"{base}+{own}" for name, own in hashes.items()}
        self._abilities = Abilities(
            models=frozenset(spec.served_names),
            images=bool(engine.model_config.is_multimodal_model),
            tools=spec.engine.tool_call_parser is not None,
        )
        self._private_unanswered: set[int] = set()

    @classmethod
    async def start(cls, spec: ModelSpec, folder: Path) -> "PrivateEngine":
        """Load the weights, start the engine's process, and warm it up: the first constrained call was seen to take 18 s."""
        prepare_environment(spec)
        arguments = engine_arguments(spec, folder)
        log = VitalsLog()
        engine = AsyncLLM.from_engine_args(arguments, stat_loggers=[lambda _config, _index: log])
        try:
            state = State()
            await init_app_state(
                engine, state, Namespace(**_frontend_settings(spec, folder, arguments)), supported_tasks=("generate",)
            )
            started = cls(spec, folder, engine, state.openai_serving_chat, log)
            async with asyncio.timeout(WARM_UP_SECONDS):
                for schema in (None, '{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}'):
                    async for _ in started.stream(warm_up_call(spec, schema)):
                        pass
        except BaseException:
            engine.shutdown()
            raise
        return started

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Answer a call. Closing the generator aborts the request in the engine.

        Raises `ContextTooLong`, `SchemaRefused` or `BadRequest` where the request is at fault, else a `LaneFailed`.
        """
        request = self._request(call)
        reader = ChunkReader(call, self.version_of(call.model))
        if not call.may_leave:
            self._private_unanswered.add(id(call))
        try:
            async for line in await self._open(call, request):
                if line.startswith("data: [DONE]"):
                    yield (reader.finish(),)
                    return
                chunk = orjson.loads(line[len("data: ") :])
                if "error" in chunk:
                    raise self._failure(call, chunk["error"])
                if events := reader.read(chunk):
                    self._private_unanswered.discard(id(call))
                    yield tuple(events)
        finally:
            self._private_unanswered.discard(id(call))

    def _request(self, call: LaneCall) -> ChatCompletionRequest:
        """Parse the call as vLLM would, and hold it against what was asked: vLLM drops what it does not know."""
        if call.json_schema not in {None, "{}"}:
            check_schema(str(call.json_schema))
        body = chat_body(call, self._abilities)
        try:
            request = ChatCompletionRequest.model_validate(body)
        except ValidationError as error:
            because = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise BadRequest(f"vLLM does not take this request: {because}") from error
        if request.model_extra:
            raise LaneMisbehaved(call.lane, f"this vLLM knows no field {sorted(request.model_extra)}")
        if (call.json_schema is not None) != (request.extract_structured_outputs() is not None):
            raise LaneMisbehaved(call.lane, "vLLM did not take up the answer's JSON Schema")
        return request

    async def _open(self, call: LaneCall, request: ChatCompletionRequest) -> AsyncIterator[str]:
        """Render the prompt and return vLLM's stream of SSE lines; generation begins with its first item."""
        try:
            opened = await self._chat.create_chat_completion(request, None)
        except Exception as error:
            raise self._failure(call, self._chat.create_error_response(error).error.model_dump()) from error
        if not hasattr(opened, "__aiter__"):
            raise self._failure(call, opened.error.model_dump())
        stream: AsyncIterator[str] = opened
        return stream

    def _failure(self, call: LaneCall, error: dict[str, Any]) -> RouterError:
        """Read vLLM's error object: whose fault is it, and may another lane do better?"""
        message = str(error.get("message"))
        if self.engine.errored:
            return LaneUnreachable(call.lane, "the engine died while it answered")
        match error.get("code"):
            case 503:
                return LaneOverloaded(call.lane, message)
            case int(code) if 400 <= code < 500:
                return _at_fault(message, error.get("param"), self.spec, constrained=call.json_schema is not None)
            case _:
                return LaneMisbehaved(call.lane, message)

    def version_of(self, model: str) -> str:
        """Return the weights' hash of a served name."""
        return self._versions[model]

    @property
    def running(self) -> int:
        """Requests that the engine has open."""
        return int(self.engine.get_num_unfinished_requests())

    @property
    def dtype(self) -> str:
        """The number format that the engine computes in."""
        return str(self.engine.model_config.dtype).removeprefix("torch.")

    @property
    def vitals(self) -> Vitals:
        """What the engine's scheduler said last, and all that it has done."""
        return self._log.vitals

    @property
    def private_waiting(self) -> int:
        """Of the requests in the engine's queue, how many may not leave the cluster: at most so many as have had no token yet."""
        return min(self.vitals.waiting, len(self._private_unanswered))

    @property
    def dead(self) -> bool:
        """Whether the engine's process is gone."""
        return bool(self.engine.errored)

    async def answer_a_question(self) -> None:
        """Return once the engine's process has answered a question between two of its steps."""
        await self.engine.is_sleeping()

    def kill(self) -> None:
        """End the engine's processes, stopped ones too, without asking them."""
        manager = self.engine.engine_core.resources.engine_manager
        for process in manager.processes if manager is not None else ():
            with suppress(psutil.NoSuchProcess):
                core = psutil.Process(process.pid)
                for each in (*core.children(recursive=True), core):
                    each.kill()

    def shutdown(self) -> None:
        """Stop the engine's process and wait for it."""
        self.engine.shutdown()


def engine_arguments(spec: ModelSpec, folder: Path) -> AsyncEngineArgs:
    """Return vLLM's engine arguments for a model on this machine. Raises `LaneUnreachable` for a GPU model on a CPU build."""
    on_cpu = current_platform.is_cpu()
    if on_cpu and spec.gpu is not None:
        raise LaneUnreachable(spec.name, f"it is to run on {spec.gpu}, and this is vLLM's CPU build")
    return AsyncEngineArgs(
        # llguidance: published as accepting no invalid output on 11,306 schemas (xgrammar: 1,368), grammars made in milliseconds.
        # Compact JSON: between fields a small model was seen to write blanks until its tokens were used up.
        structured_outputs_config=StructuredOutputsConfig(backend="guidance", disable_any_whitespace=True),
        **engine_settings(spec, folder, torch.cpu.get_capabilities() if on_cpu else {}),
    )


def prepare_environment(spec: ModelSpec) -> None:
    """Set what vLLM's processes read from the environment alone, before the first of them starts."""
    for name, value in environment_settings(spec).items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _frontend_settings(spec: ModelSpec, folder: Path, arguments: AsyncEngineArgs) -> dict[str, Any]:
    parser = spec.engine.tool_call_parser
    chosen = {
        "tool_call_parser": parser,
        "enable_auto_tool_choice": parser is not None,
        "enable_prompt_tokens_details": True,
        "lora_modules": [LoRAModulePath(name, str(path)) for name, path in adapter_folders(spec, folder).items()],
    }
    settings: dict[str, Any] = vars(FrontendArgs()) | vars(arguments) | chosen
    return settings


def _at_fault(message: str, parameter: str | None, spec: ModelSpec, *, constrained: bool = False) -> BadRequest:
    """Return the error for a request that vLLM refused."""
    # `max_tokens` at fault is the context at fault: vLLM gives an answer what the prompt leaves, here nothing.
    if parameter in {"input_tokens", "input_text", "max_tokens"} or "context length" in message:
        return ContextTooLong(
            f"{message} ({spec.name} holds {spec.context_tokens} tokens, prompt and answer)", "messages"
        )
    if constrained or parameter in {"response_format", "structured_outputs"}:
        return SchemaRefused(f"response_format: {message}", "response_format")
    return BadRequest(message, parameter)


def warm_up_call(spec: ModelSpec, schema: str | None) -> LaneCall:
    """Return a call that makes an engine do, before it is ready, what is slow the first time."""
    return LaneCall(
        trace_id="warm-up-plain" if schema is None else "warm-up-schema",
        attempt=0,
        lane=spec.name,
        model=spec.name,
        org="",
        label=Label(),
        risk_tier="low",
        messages=(Message(role="user", content=(TextPart(text="Say ok."),)),),
        sampling=Sampling(temperature=0.0),
        max_tokens=16,
        deadline_seconds=WARM_UP_SECONDS,
        first_token_seconds=WARM_UP_SECONDS,
        bundle_hash="",
        schema_name=schema and "warm_up",
        json_schema=schema,
    )
