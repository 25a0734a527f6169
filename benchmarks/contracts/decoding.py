"""What does the small model write under each backend of vLLM's constrained decoding, and is what it completes valid?

The engine runs in this process, without a server, with the arguments that the private lane starts it with; the backend alone differs.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # read when vLLM is imported

import llguidance
import llguidance.hf
import orjson
import xgrammar
from vllm import LLM, SamplingParams
from vllm.config import StructuredOutputsConfig
from vllm.sampling_params import StructuredOutputsParams
from vllm.v1.structured_output.backend_xgrammar import validate_xgrammar_grammar

from benchmarks.contracts.tried import Outcome, Tried
from models.spec import ModelSpec
from router.enforce import Enforceable, Refused, enforceable
from router.errors import SchemaRefused
from router.validate import check_schema
from serving.private.arguments import engine_settings
from serving.private.engine import prepare_environment

Backend = Literal["guidance", "xgrammar"]
_SEED: Final = 6
_QUESTION: Final = [{"role": "user", "content": "Give a short JSON example."}]
"""The same for all, and without the schema: what holds the answer to it is the grammar alone, and the prompt is computed once."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one run may cost."""

    tokens: int = 96
    seconds: float = 240.0
    streams: int = 128


def decode(backend: Backend, schemas: Sequence[Tried], spec: ModelSpec, folder: Path, bounds: Bounds) -> list[Outcome]:
    """Have the model answer under every schema that the backend takes; what is still open when the time is up is `unfinished`."""
    prepare_environment(spec)
    settings = engine_settings(spec, folder, {}) | {"max_num_seqs": bounds.streams}
    del settings["enable_log_requests"]  # of the asynchronous engine alone
    model = LLM(
        **settings,
        seed=_SEED,
        disable_log_stats=True,
        structured_outputs_config=StructuredOutputsConfig(backend=backend, disable_any_whitespace=True),
    )
    compiler = _Compiler(backend, model.get_tokenizer())
    outcomes: dict[str, Outcome] = {}
    for tried in schemas:
        outcomes[tried.name] = _begin(model, backend, compiler, tried, bounds)
    _run(model, outcomes, bounds.seconds)
    return list(outcomes.values())


def _begin(model: LLM, backend: Backend, compiler: "_Compiler", tried: Tried, bounds: Bounds) -> Outcome:
    """Ask for one answer, unless the schema is refused up front."""
    told, because = _told(backend, tried.schema)
    if told is None:
        return Outcome(tried, "refused", because=because)
    seconds, problem = compiler.seconds(told)
    if problem is not None:
        return Outcome(tried, "refused", because=problem)
    parameters = SamplingParams(
        temperature=0.7,
        seed=_SEED,
        max_tokens=bounds.tokens,
        structured_outputs=StructuredOutputsParams(json=orjson.loads(told)),
    )
    try:
        if backend == "xgrammar":
            validate_xgrammar_grammar(parameters)
        prompt = model.get_tokenizer().apply_chat_template(_QUESTION, tokenize=False, add_generation_prompt=True)
        model.llm_engine.add_request(tried.name, prompt, parameters)
    except ValueError as error:
        return Outcome(tried, "refused", because=str(error).splitlines()[0][:160])
    return Outcome(tried, "unfinished", compile_seconds=seconds)


def _told(backend: Backend, schema: str) -> tuple[str | None, str | None]:
    """Return what the backend is told: for llguidance what the private lane tells it, for xgrammar the schema as it is."""
    try:
        check_schema(schema)
    except SchemaRefused as error:
        return None, str(error)
    if backend == "xgrammar":
        return schema, None
    match enforceable(schema):
        case Enforceable(told):
            return told, None
        case Refused(because):
            return None, because


def _run(model: LLM, outcomes: dict[str, Outcome], seconds: float) -> None:
    until = time.monotonic() + seconds
    engine = model.llm_engine
    while engine.has_unfinished_requests() and time.monotonic() < until:
        for done in engine.step():
            if done.finished:
                answer = done.outputs[0]
                outcomes[done.request_id] = outcomes[done.request_id].ended(
                    answer.text, len(answer.token_ids), answer.finish_reason
                )
    engine.abort_request([name for name, outcome in outcomes.items() if outcome.end == "unfinished"])


class _Compiler:
    """Times how long a backend takes to make a grammar of a schema for this model's tokens."""

    def __init__(self, backend: Backend, tokenizer: Any) -> None:
        self._backend = backend
        if backend == "guidance":
            self._tokens = llguidance.hf.from_tokenizer(tokenizer)
        else:
            self._grammars = xgrammar.GrammarCompiler(
                xgrammar.TokenizerInfo.from_huggingface(tokenizer), max_threads=1, cache_enabled=False
            )

    def seconds(self, schema: str) -> tuple[float, str | None]:
        """Return the seconds, and what is wrong with the schema, if anything."""
        began = time.perf_counter()
        try:
            if self._backend == "guidance":
                grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
                problem = llguidance.LLMatcher(self._tokens, grammar, log_level=0).get_error()
            else:
                self._grammars.compile_json_schema(schema, any_whitespace=False)
                problem = ""
        except (RuntimeError, ValueError) as error:
            problem = str(error)
        return time.perf_counter() - began, problem.splitlines()[0][-160:] if problem else None
