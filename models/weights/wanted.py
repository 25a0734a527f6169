"""Which of a source's files does a model folder need? Named kinds alone; each that stays behind is named with the reason."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from models.manifest import (
    CODE_SUFFIXES,
    DATA_SUFFIXES,
    MANIFEST,
    SIGNATURE,
    TERMS,
    WEIGHT_SUFFIXES_REFUSED,
    Flaw,
)
from models.weights.source import RemoteFile

# Below the folder's top lies the same model for other programs (original/, onnx/); a pooling layer's config.json is the exception.
_WANTED_BELOW: Final = frozenset({"config.json"})


@dataclass(frozen=True, slots=True)
class Choice:
    """What will be fetched, and what is left at the source and why."""

    wanted: tuple[RemoteFile, ...]
    left: tuple[Flaw, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all that is wanted."""
        return sum(file.size_bytes for file in self.wanted)


def choose(files: tuple[RemoteFile, ...]) -> Choice:
    """Return which files a model folder takes from a listing. `MANIFEST.sha256` and its signature are not among them."""
    sharded = any(PurePosixPath(file.name).name.startswith("model") for file in files if _is_safetensors(file.name))
    offered = [file for file in files if file.name not in {MANIFEST, SIGNATURE}]
    reasons = {file.name: _left_because(file.name, sharded=sharded) for file in offered}
    return Choice(
        wanted=tuple(file for file in offered if reasons[file.name] is None),
        left=tuple(Flaw(name, because) for name, because in reasons.items() if because is not None),
    )


def _left_because(name: str, *, sharded: bool) -> str | None:
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        return "a path that leads out of the folder"
    if suffix in CODE_SUFFIXES:
        return "code: a model folder may not bring any"
    if suffix in WEIGHT_SUFFIXES_REFUSED:
        return f"weights in {suffix} format: only safetensors are accepted"
    if any(part.startswith(".") for part in path.parts):
        return "hidden: the source's own bookkeeping"
    if len(path.parts) > 1 and path.name not in _WANTED_BELOW:
        return "in a folder below: the same model for another program"
    if _is_safetensors(name) and sharded and path.name.startswith("consolidated"):
        return "the same weights once more, in one piece"
    if suffix in DATA_SUFFIXES or path.name.lower().startswith(TERMS):
        return None
    return "neither weights nor tokenizer, configuration, template or licence"


def _is_safetensors(name: str) -> bool:
    return name.endswith(".safetensors")
