"""Which backend's grammars let invalid instances of the official suite through? Asked of the grammars themselves, without a model.

Each instance is offered as compact JSON, as a model would have to write it.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import llguidance
import xgrammar
from transformers import AutoTokenizer
from vllm.v1.structured_output.backend_xgrammar import has_xgrammar_unsupported_json_features

from benchmarks.contracts.suite import Group
from router.enforce import Enforceable, enforceable
from router.errors import SchemaRefused
from router.validate import check_schema

Accepts = Callable[[str], bool]
_BYTES: Final = llguidance.LLTokenizer("byte")


def soundness(found: Sequence[Group], make: Callable[[Any], Accepts | None]) -> Counter[str]:
    """Count schemas taken and refused, and what the grammars of those taken say of their instances."""
    counted: Counter[str] = Counter()
    for group in found:
        accepts = make(group.schema)
        counted["refused" if accepts is None else "taken"] += 1
        if accepts is None:
            continue
        passed = [
            (valid, accepts(json.dumps(instance, separators=(",", ":"), ensure_ascii=False)))
            for instance, valid in group.instances
        ]
        counted.update(
            f"{'valid' if valid else 'invalid'} {'let through' if let else 'stopped'}" for valid, let in passed
        )
        counted["schemas that let an invalid one through"] += any(let and not valid for valid, let in passed)
    return counted


def by_llguidance(schema: Any) -> Accepts | None:
    """Make the grammar that the private lane's engine makes; None where `router.enforce` refuses the schema."""
    text = json.dumps(schema)
    try:
        check_schema(text)
    except SchemaRefused:
        return None
    verdict = enforceable(text)
    if not isinstance(verdict, Enforceable):
        return None
    grammar = llguidance.LLMatcher.grammar_from_json_schema(verdict.schema, defaults={"whitespace_flexible": False})
    blank = llguidance.LLMatcher(_BYTES, grammar, log_level=0)

    def accepts(instance: str) -> bool:
        matcher = blank.deep_copy()
        tokens = _BYTES.tokenize_str(instance)
        return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())

    return accepts


def by_xgrammar(folder: str) -> Callable[[Any], Accepts | None]:
    """Return a maker of the grammars that vLLM would make by xgrammar for the model in this folder, behind vLLM's own refusals."""
    tokens = xgrammar.TokenizerInfo.from_huggingface(AutoTokenizer.from_pretrained(folder))
    compiler = xgrammar.GrammarCompiler(tokens, max_threads=1, cache_enabled=False)

    def make(schema: Any) -> Accepts | None:
        if isinstance(schema, dict) and has_xgrammar_unsupported_json_features(schema):
            return None
        try:
            grammar = compiler.compile_json_schema(json.dumps(schema), any_whitespace=False)
        except RuntimeError:
            return None

        def accepts(instance: str) -> bool:
            matcher = xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True)
            return bool(matcher.accept_string(instance) and matcher.is_terminated())

        return accepts

    return make
