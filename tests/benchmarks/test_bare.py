"""Bare vLLM is started with the very settings that our replica has."""

from pathlib import Path

import pytest

from benchmarks.bare import command_line
from models.spec import EngineSpec, ModelSpec
from serving.private.arguments import engine_settings

SPEC = ModelSpec(name="m", family="llama", source="", folder="m", licence="", context_tokens=512)


@pytest.mark.parametrize(
    ("caching", "flags"),
    [(True, {"--enable-prefix-caching"}), (False, {"--no-enable-prefix-caching"}), (None, set())],
)
def test_the_caches_format_and_its_sharing_of_beginnings_are_the_replicas(
    tmp_path: Path, caching: bool | None, flags: set[str]
) -> None:
    spec = SPEC.model_copy(update={"engine": EngineSpec(kv_cache_dtype="fp8", enable_prefix_caching=caching)})

    command = command_line(spec, engine_settings(spec, tmp_path, {}), 8000)

    assert command[command.index("--kv-cache-dtype") + 1] == "fp8"
    assert {part for part in command if part.endswith("-prefix-caching")} == flags
