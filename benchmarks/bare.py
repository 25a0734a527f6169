"""Bare vLLM: its own OpenAI server with exactly the engine settings that our replica uses, to compare with."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.spec import ModelSpec
from serving.processes import die_with_parent


def command_line(spec: ModelSpec, engine: Mapping[str, Any], port: int) -> list[str]:
    """Return the command that serves a model on loopback; `engine` is what our replica's engine is told."""
    options: dict[str, object] = {
        "--host": "127.0.0.1",
        "--port": port,
        "--model": engine.get("model"),
        "--served-model-name": spec.name,
        "--dtype": engine.get("dtype"),
        "--max-model-len": engine.get("max_model_len"),
        "--stream-interval": engine.get("stream_interval"),
        "--block-size": engine.get("block_size"),
        "--kv-cache-memory-bytes": engine.get("kv_cache_memory_bytes"),
        "--tensor-parallel-size": engine.get("tensor_parallel_size"),
        "--pipeline-parallel-size": engine.get("pipeline_parallel_size"),
        "--max-num-seqs": engine.get("max_num_seqs"),
        "--max-num-batched-tokens": engine.get("max_num_batched_tokens"),
        "--quantization": engine.get("quantization"),
        "--kv-cache-dtype": engine.get("kv_cache_dtype"),
        "--gpu-memory-utilization": spec.engine.gpu_memory_utilization,
    }
    given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    flags = ["--disable-uvicorn-access-log", *(["--enforce-eager"] if engine.get("enforce_eager") else [])]
    if (caching := spec.engine.enable_prefix_caching) is not None:
        flags.append("--enable-prefix-caching" if caching else "--no-enable-prefix-caching")
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *given, *flags]


def main() -> None:
    """Become the server."""
    parser = argparse.ArgumentParser(prog="benchmarks.bare")
    parser.add_argument("--spec", required=True, help="the model's spec as JSON")
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--parent", required=True, type=int, help="the process with which the server ends")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)  # What the kernel was asked for here holds on in the server.
    # vLLM takes seconds to import, and who asks for the command alone does without.
    from serving.private.engine import engine_arguments, prepare_environment

    spec = ModelSpec.model_validate_json(arguments.spec)
    prepare_environment(spec)
    command = command_line(spec, vars(engine_arguments(spec, arguments.folder)), arguments.port)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter


if __name__ == "__main__":
    main()
