"""Which entry does a name mean? `Llama-3.1-8B`, `meta-llama/Llama-3.1-8B-Instruct` and `llama3.1_8b` are one model.

Names are compared by their letters and numbers, in any case, without the publisher and without words that say how a model was tuned or
stored (`instruct`, `hf`, `fp8`): these change no size.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

import yaml
from pydantic import TypeAdapter, ValidationError

from models.catalogue.entry import Argument, Entry, GpuEngine
from models.errors import EntryBroken, UnknownEntry

_SAY_NOTHING: Final = frozenset(
    {"meta", "instruct", "chat", "it", "hf", "v", "dynamic", "quantized", "turbo", "interactive", "server", "offline"}
)
_STORED_AS: Final = re.compile(
    r"(?<![a-z0-9])(?:fp8|fp4|fp16|bf16|nvfp4|mxfp4|int4|int8|w8a8|w4a16|w8a16|gptq|awq)(?![a-z0-9])"
)
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENGINE_BY_GPU: Final = "engine_by_gpu.yaml"
_MLPERF: Final = ("99", "99.9")  # The share of the reference's quality that MLPerf's names end with.
_POINT: Final = re.compile(r"(?<=\d)[-_](?=\d[-_ ])")  # llama-3-1-8b, llama3_1-8b
_EDITION: Final = re.compile(r"(?<=[-_ ])v0\.\d$")


@cache
def entries() -> Mapping[str, Entry]:
    """Return all entries by name, in alphabetical order. Raises `EntryBroken` naming the file."""
    read: dict[str, Entry] = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            entry = _read(file.name, file.read_text(encoding="utf-8"))
            read[entry.name] = entry
    return MappingProxyType(read)


def find_model(name: str) -> Entry:
    """Return the entry of that name, or one of the same shape: enough to size it. Raises `UnknownEntry` with the nearest names."""
    return entries()[_claim(name).entry]


def find_weights(name: str) -> Entry:
    """Return the entry whose weights that name means. Raises `UnknownEntry`, also for a name that only shares its shape."""
    claim = _claim(name)
    if not claim.same_weights:
        raise UnknownEntry(
            f"{name} has the shape of {claim.entry}, but weights of its own, which the catalogue does not hold"
        )
    return entries()[claim.entry]


@dataclass(frozen=True, slots=True)
class _Claim:
    """The entry that a name belongs to, and whether its weights are the entry's own."""

    entry: str
    same_weights: bool


def _claim(name: str) -> _Claim:
    claims = _claims()
    key = key_of(name)
    if key in claims:
        return claims[key]
    near = dict.fromkeys(claims[one].entry for one in get_close_matches(key, claims, n=4, cutoff=0.6))
    hint = f"did you mean {' or '.join(near)}?" if near else "`lane models list --all` shows all."
    raise UnknownEntry(f"the catalogue has no model {name!r}: {hint}")


def key_of(name: str) -> str:
    """Reduce a name to what tells models apart."""
    plain = _POINT.sub(".", name.strip().lower().rpartition("/")[2])
    plain = _EDITION.sub("", _STORED_AS.sub("", plain).rstrip("-_ "))
    words = [word for word in re.findall(r"[a-z]+|\d+(?:\.\d+)?", plain) if word not in _SAY_NOTHING]
    return "-".join(words[:-1] if words[-1:] and words[-1] in _MLPERF else words)


def engine_for(entry: Entry, gpu: str) -> Mapping[str, Argument]:
    """Return the engine arguments for a model on a class of GPUs: its parsers, what the class asks for, then what its own setup says."""
    setup = entry.setup_for(gpu)
    own = setup.engine if setup is not None else {}
    return {**entry.chat, **_by_gpu().get(gpu, {}), **own}


@cache
def _by_gpu() -> Mapping[str, Mapping[str, Argument]]:
    """Return the arguments that each class of GPUs asks for. Raises `EntryBroken`."""
    text = resources.files("models").joinpath(_ENGINE_BY_GPU).read_text(encoding="utf-8")
    try:
        classes = TypeAdapter(tuple[GpuEngine, ...]).validate_python(_parsed(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise EntryBroken(f"{_ENGINE_BY_GPU}: {error}") from error
    return {name: one.engine for one in classes for name in one.gpus}


@cache
def _claims() -> Mapping[str, _Claim]:
    """Return who claims which key. Raises `EntryBroken` where two entries claim one."""
    claimed: dict[str, _Claim] = {}
    for entry in entries().values():
        own = [(name, True) for name in (entry.name, entry.title, *entry.aliases)]
        for name, same_weights in own + [(name, False) for name in entry.same_shape]:
            other = claimed.setdefault(key_of(name), _Claim(entry.name, same_weights))
            if other.entry != entry.name:
                raise EntryBroken(f"{entry.name}.yaml: {name!r} is a name of {other.entry} too: give it to one of them")
    return claimed


def _read(file_name: str, text: str) -> Entry:
    try:
        entry = Entry.model_validate(_parsed(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise EntryBroken(f"{file_name}: {error}") from error
    if f"{entry.name}.yaml" != file_name:
        raise EntryBroken(f"{file_name}: is called {entry.name!r} inside; file and name must agree")
    return entry


def _parsed(text: str) -> object:
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, in C where that was built
