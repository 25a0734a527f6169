"""How is the archive made? Wheels, models, bundle and bill of materials, after a list that vouches for each; signed, if a key is given."""

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster.airgap import install
from cluster.airgap.sbom import CarriedModel, bill_of_materials
from cluster.airgap.wheels import Wheel
from models.manifest import MANIFEST, SIGNATURE, file_names, sha256_of
from router.errors import BadRequest

DISTRIBUTION: Final = "private-lane"
BILL: Final = "sbom.cdx.json"

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Content:
    """What goes into an archive. Models were verified before."""

    wheels: tuple[Wheel, ...]
    models: tuple[CarriedModel, ...]
    bundle: Path
    version: str
    made_at: datetime

    @property
    def files(self) -> Mapping[str, Path]:
        """Members that are files on this machine, by their names in the archive."""
        members = {"install.py": Path(install.__file__)}
        members |= {f"wheels/{wheel.file.name}": wheel.file for wheel in self.wheels}
        for model in self.models:
            signature = [SIGNATURE] if (model.path / SIGNATURE).exists() else []
            names = [*file_names(model.path), MANIFEST, *signature]
            members |= {f"models/{model.folder}/{name}": model.path / name for name in names}
        bundle_files = (path for path in sorted(self.bundle.rglob("*")) if path.is_file())
        members |= {f"bundle/{path.relative_to(self.bundle).as_posix()}": path for path in bundle_files}
        return members

    @property
    def texts(self) -> Mapping[str, bytes]:
        """Members that are written for the archive."""
        lines = "".join(f"{wheel.requirement}\n" for wheel in self.wheels)
        bill = bill_of_materials(self.wheels, self.models, self.version, self.made_at)
        return {install.REQUIREMENTS: lines.encode(), BILL: bill.encode()}

    @property
    def size_bytes(self) -> int:
        """Bytes of all files: each is read twice, once for the list and once for the archive."""
        return sum(path.stat().st_size for path in self.files.values())


def pack(content: Content, out: Path, private_key: Path | None, advance: Advance) -> Mapping[str, str]:
    """Write the archive, whole or not at all, and return each member's SHA-256. Raises `BadRequest` for a key that can't sign."""
    files, texts = content.files, content.texts
    sizes = {name: path.stat().st_size for name, path in files.items()} | {
        name: len(text) for name, text in texts.items()
    }
    digests = {name: sha256_of(path, advance) for name, path in files.items()}
    digests |= {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    listed = {
        "made_at": content.made_at.isoformat(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "distribution": content.version if any(wheel.name == DISTRIBUTION for wheel in content.wheels) else None,
        "members": {name: {"sha256": digests[name], "bytes": sizes[name]} for name in sorted(digests)},
    }
    contents = json.dumps(listed, indent=1).encode()
    fresh = out.with_name(f".{out.name}-packing")
    try:
        with tarfile.open(fresh, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, install.CONTENTS, contents, content.made_at)
            _add(tar, install.CONTENTS_SIGNATURE, _signed(contents, private_key), content.made_at)
            _add(
                tar, "install.py", files["install.py"].read_bytes(), content.made_at
            )  # Found without reading gigabytes.
            for name, text in texts.items():
                _add(tar, name, text, content.made_at)
            for name, path in files.items():
                if name != "install.py":
                    with path.open("rb") as stream:
                        tar.addfile(_member(name, sizes[name], content.made_at), _Watched(stream, advance))
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)
    return digests


def _signed(contents: bytes, private_key: Path | None) -> bytes:
    """Return the list's signature as `openssl dgst -verify` takes it; nothing without a key."""
    if private_key is None:
        return b""
    try:
        key = serialization.load_pem_private_key(private_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadRequest(f"{private_key} can't sign: {error}", "--key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadRequest(f"{private_key} can't sign: it must be an elliptic-curve key in PEM", "--key")
    return key.sign(contents, ec.ECDSA(hashes.SHA256()))


def _add(tar: tarfile.TarFile, name: str, content: bytes, made_at: datetime) -> None:
    tar.addfile(_member(name, len(content), made_at), io.BytesIO(content))


def _member(name: str, size: int, made_at: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, int(made_at.timestamp())
    return member


class _Watched:
    """A stream that tells how much of it was read."""

    def __init__(self, stream: io.BufferedReader, advance: Advance) -> None:
        self._stream, self._advance = stream, advance

    def read(self, size: int = -1) -> bytes:
        """Read, and tell."""
        piece = self._stream.read(size)
        self._advance(len(piece))
        return piece
