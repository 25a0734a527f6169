"""How does vLLM's own load tool (`vllm bench serve`) run here? As a process of its own, one order a line in, one report a line out.

The one module of the benchmarks that imports vLLM: importing it takes seconds, so one process serves a whole sweep. The tool sends and
measures; this hands it prompts, and passes its figures on. The API key comes by the tool's own variable, `OPENAI_API_KEY`. Before the
first order it says how vLLM resolves the model's engine settings.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from vllm.benchmarks.datasets import SampleRequest
from vllm.benchmarks.lib.endpoint_request_func import ASYNC_REQUEST_FUNCS, RequestFuncInput, RequestFuncOutput
from vllm.benchmarks.serve import TaskType, benchmark
from vllm.usage.usage_lib import UsageContext
from vllm.utils.torch_utils import get_kv_cache_torch_dtype

from benchmarks.throughput.engine import EngineFacts
from benchmarks.throughput.orders import Ask, Order
from models.spec import ModelSpec
from serving.private.engine import engine_arguments, prepare_environment

_BACKEND: Final = "openai-chat"
_COUNTED: Final = "openai-chat, counted"

Say = Callable[[dict[str, Any]], None]


def main() -> None:
    """Carry out orders until the input ends. What vLLM prints goes to stderr: stdout is for the reports."""
    parser = argparse.ArgumentParser(prog="benchmarks.throughput.client")
    parser.add_argument("--spec", required=True, help="the model's spec as JSON")
    parser.add_argument("--folder", required=True, type=Path)
    arguments = parser.parse_args()
    with os.fdopen(os.dup(1), "wb", buffering=0) as reports, contextlib.redirect_stdout(sys.stderr):

        def say(report: dict[str, Any]) -> None:
            reports.write(orjson.dumps(report, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")

        ASYNC_REQUEST_FUNCS[_COUNTED] = _counted(say)
        facts = _engine_facts(ModelSpec.model_validate_json(arguments.spec), arguments.folder)
        say({"engine": facts.model_dump(mode="json")})
        for line in sys.stdin.buffer:
            order = Order.model_validate_json(line)
            say({"result": asyncio.run(_carry_out(order))})


def _engine_facts(spec: ModelSpec, folder: Path) -> EngineFacts:
    prepare_environment(spec)
    arguments = engine_arguments(spec, folder)
    config = arguments.create_engine_config(UsageContext.ENGINE_CONTEXT)
    model, cache, parallel = config.model_config, config.cache_config, config.parallel_config
    given = {
        name: value
        for name, value in vars(arguments).items()
        if isinstance(value, str | int | float | bool) and value != getattr(type(arguments), name, None)
    }
    capacity = None
    if cache.kv_cache_memory_bytes is not None:
        token_bytes = 2 * model.get_num_layers(parallel) * model.get_num_kv_heads(parallel) * model.get_head_size()
        block_bytes = token_bytes * get_kv_cache_torch_dtype(cache.cache_dtype, model.dtype).itemsize * cache.block_size
        capacity = cache.kv_cache_memory_bytes // block_bytes * cache.block_size
    return EngineFacts(
        dtype=str(model.dtype).removeprefix("torch."),
        max_num_seqs=config.scheduler_config.max_num_seqs,
        max_num_batched_tokens=config.scheduler_config.max_num_batched_tokens,
        block_size=cache.block_size,
        kv_capacity_tokens=capacity,
        arguments=given | {"model": folder.name, "tokenizer": folder.name},
    )


def _counted(say: Say) -> Callable[..., Awaitable[RequestFuncOutput]]:
    """Return vLLM's request function for chat, which also tells when a request has ended."""

    async def request(request_func_input: RequestFuncInput, session: Any, pbar: Any = None) -> RequestFuncOutput:
        output: RequestFuncOutput = await ASYNC_REQUEST_FUNCS[_BACKEND](request_func_input, session, pbar)
        say({"done": output.success})
        return output

    return request


async def _carry_out(order: Order) -> dict[str, Any]:
    np.random.seed(order.seed)
    result: dict[str, Any] = await benchmark(
        task_type=TaskType.GENERATION,
        endpoint_type=_COUNTED,
        api_url=f"{order.base_url}/v1/chat/completions",
        base_url=order.base_url,
        model_id=order.model,
        model_name=order.model,
        tokenizer=None,  # The server's own count of tokens comes with each answer.
        input_requests=[_sample(ask) for ask in order.asks],
        logprobs=None,
        request_rate=order.rate or float("inf"),
        burstiness=1.0,
        disable_tqdm=True,
        num_warmups=0,
        profile=False,
        selected_percentile_metrics=[],
        selected_percentiles=[50.0],
        ignore_eos=True,
        goodput_config_dict={},
        max_concurrency=order.concurrency,
        lora_modules=None,
        extra_headers=None,
        extra_body={"temperature": 0.0},
        ready_check_timeout_sec=0,
    )
    kept = ("duration", "input_lens", "output_lens", "ttfts", "itls", "latencies", "start_times", "errors")
    return {name: result[name] for name in kept}


def _sample(ask: Ask) -> SampleRequest:
    return SampleRequest(prompt=ask.prompt, prompt_len=ask.input_tokens, expected_output_len=ask.output_tokens)


if __name__ == "__main__":
    main()
