"""With which settings does the engine run? Those that decide its speed, as vLLM resolves a model's spec, defaults filled in."""

from pydantic import Field

from router.contract import Frozen


class EngineFacts(Frozen):
    """`kv_capacity_tokens`: what a cache of set size holds; None where the engine takes what memory is left."""

    dtype: str
    max_num_seqs: int = Field(ge=1)
    max_num_batched_tokens: int = Field(ge=1)
    block_size: int = Field(ge=1)
    kv_capacity_tokens: int | None = None
    arguments: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
