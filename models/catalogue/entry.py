"""What does the catalogue know of a model? A file that contradicts itself is refused when it is read.

`parameters` is the published number: the formulas of `models.architecture` must come to it exactly from `config`, or the entry is wrong.
"""

from functools import cached_property
from typing import Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.architecture import Architecture, architecture_of
from models.errors import ModelError
from models.gpus import CPU, find_gpu
from models.memory import Precision, published_precision
from models.spec import EngineSpec, ModelSpec

CPU_WORKAROUNDS: Final = frozenset({"enforce_eager", "kv_cache_gib", "block_size", "stream_interval", "dtype"})
"""Engine arguments that only the CPU build needs here; on a GPU each of them costs speed or memory."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Argument(_Frozen):
    """An engine argument's value, and why it is not left to vLLM."""

    value: bool | int | float | str
    because: str = Field(min_length=10)


class Variant(_Frozen):
    """Weights of one precision: where they come from. `block`: they are scaled in blocks of so many, which a GPU's share must respect."""

    source: str
    because: str = Field(min_length=10)
    block: int = Field(default=1, ge=1)


class GpuEngine(_Frozen):
    """Engine arguments on these classes of GPUs, each with its reason."""

    gpus: tuple[str, ...] = Field(min_length=1)
    engine: dict[str, Argument] = {}

    @model_validator(mode="after")
    def _known_arguments(self) -> "GpuEngine":
        EngineSpec.model_validate({name: argument.value for name, argument in self.engine.items()})
        for name in self.gpus:
            if name == CPU:
                continue
            if find_gpu(name).name != name:
                raise ValueError(f"the GPU class {name!r} is called {find_gpu(name).name!r} here")
            if wrong := self.engine.keys() & CPU_WORKAROUNDS:
                raise ValueError(f"{', '.join(sorted(wrong))}: only for the CPU build, not for {name}")
        return self


class Setup(GpuEngine):
    """How the model is served on these classes of GPUs: with which weights, and which engine arguments beside the classes' own."""

    precision: Precision
    because: str = Field(min_length=10)


class Entry(_Frozen):
    """One model. A `planning_only` one is here so that published figures can be read and sized; nothing is claimed about serving it.

    `aliases` are other names of this model; `same_shape` names models with other weights and the same arithmetic: enough to size them.
    `source` and a variant's have the form of `ModelSpec.source`: `hub:ORG/REPOSITORY@REVISION`, the commit where one could be verified;
    without, fetching pins what it got. `chat` are vLLM's parsers for the model's own template.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    aliases: tuple[str, ...] = ()
    same_shape: tuple[str, ...] = ()
    family: str
    licence: str
    source: str
    planning_only: bool = False
    parameters: int = Field(gt=0)
    config: dict[str, Any]
    chat: dict[str, Argument] = {}
    variants: dict[Precision, Variant] = {}
    setups: tuple[Setup, ...] = ()

    @cached_property
    def architecture(self) -> Architecture:
        """The shape that `config` describes."""
        return architecture_of(self.config)

    @property
    def published_precision(self) -> Precision:
        """The precision of the weights as their maker published them."""
        return published_precision(self.architecture)

    def setup_for(self, gpu: str) -> Setup | None:
        """Return how it is served on a class of GPUs; None where the catalogue does not say."""
        return next((setup for setup in self.setups if gpu in setup.gpus), None)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Entry":
        try:
            counted = self.architecture.parameters
        except ModelError as error:
            raise ValueError(str(error)) from error
        if counted != self.parameters:
            raise ValueError(f"`config` comes to {counted:,} parameters, published are {self.parameters:,}")
        classes = [name for setup in self.setups for name in setup.gpus]
        if twice := {name for name in classes if classes.count(name) > 1}:
            raise ValueError(f"{', '.join(sorted(twice))}: stands in several setups")
        if self.planning_only == bool(self.setups):
            raise ValueError("an entry either has `setups` or is `planning_only`")
        if missing := {setup.precision for setup in self.setups} - self.variants.keys():
            raise ValueError(f"no variant has the precision of a setup: {', '.join(sorted(missing))}")
        return self

    @model_validator(mode="after")
    def _known_to_a_spec(self) -> "Entry":
        EngineSpec.model_validate({name: argument.value for name, argument in self.chat.items()})
        if self.setups and self.family not in _FAMILIES:
            raise ValueError(f"family {self.family!r} is none that is served here: {', '.join(_FAMILIES)}")
        return self


_FAMILIES: Final = get_args(ModelSpec.model_fields["family"].annotation)
