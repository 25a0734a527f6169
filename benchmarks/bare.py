"""Bare vLLM: its own OpenAI server with exactly the engine settings that our replica uses, to compare with."""

import argparse
import os
import sys
from pathlib import Path

from models.spec import ModelSpec
from serving.private.engine import engine_arguments, prepare_environment
from serving.processes import die_with_parent


def command_line(spec: ModelSpec, folder: Path, port: int) -> list[str]:
    """Return the command that serves a model on loopback."""
    engine = engine_arguments(spec, folder)
    options: dict[str, object] = {
        "--host": "127.0.0.1",
        "--port": port,
        "--model": engine.model,
        "--served-model-name": spec.name,
        "--dtype": engine.dtype,
        "--max-model-len": engine.max_model_len,
        "--stream-interval": engine.stream_interval,
        "--block-size": engine.block_size,
        "--kv-cache-memory-bytes": engine.kv_cache_memory_bytes,
        "--tensor-parallel-size": engine.tensor_parallel_size,
        "--pipeline-parallel-size": engine.pipeline_parallel_size,
        "--max-num-seqs": engine.max_num_seqs,
        "--max-num-batched-tokens": engine.max_num_batched_tokens,
        "--quantization": engine.quantization,
        "--gpu-memory-utilization": spec.engine.gpu_memory_utilization,
    }
    given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    flags = ["--disable-uvicorn-access-log", *(["--enforce-eager"] if engine.enforce_eager else [])]
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
    spec = ModelSpec.model_validate_json(arguments.spec)
    prepare_environment(spec)
    command = command_line(spec, arguments.folder, arguments.port)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter


if __name__ == "__main__":
    main()
