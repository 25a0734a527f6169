"""How does an air-gapped archive become an installation? Unpack what its list vouches for, install by hashes, check models and bundle.

This file travels inside the archive as `install.py` and runs on a bare Python: it imports nothing but the standard library.

    tar -xf ARCHIVE install.py && python3 install.py ARCHIVE --into DIR [--signer site.pub]
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

CONTENTS: Final = "contents.json"
"""The archive's first member: every other member's SHA-256 and size, and which Python the wheels are for."""
CONTENTS_SIGNATURE: Final = "contents.json.sig"
REQUIREMENTS: Final = "requirements.txt"
_PIECE_BYTES: Final = 1 << 20
Say = Callable[[str], None]


class CannotInstall(Exception):
    """The archive or the machine is not fit; the message names the member and says what to do."""


def install(archive: Path, into: Path, signer: Path | None = None, say: Say = print) -> Path:
    """Install an archive below `into`, which must not exist yet, and return the new environment's Python. Raises `CannotInstall`."""
    if into.exists():
        raise CannotInstall(f"{into} exists: nothing is installed over something else; name a new folder")
    into.parent.mkdir(parents=True, exist_ok=True)
    fresh = into.with_name(f".{into.name}-installing")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o755)
    try:
        contents = unpack(archive, fresh, signer, say)
        _fits(contents)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    fresh.rename(into)  # Before the environment is made: scripts in it name their own place.
    python = _environment(into, say)
    for what, command in checks(into, python, contents):
        say(what)
        _run(command, dict(os.environ) | {"LANE_HOME": str(into / "home"), "LANE_MODELS": str(into / "models")})
    return python


def unpack(archive: Path, into: Path, signer: Path | None, say: Say) -> dict[str, Any]:
    """Write the archive's members below `into`, each held against the list that comes first. Raises `CannotInstall`, naming the member."""
    with tarfile.open(archive, "r:") as tar:
        members = iter(tar)
        raw = _first(tar, members, CONTENTS)
        (into / CONTENTS).write_bytes(raw)
        (into / CONTENTS_SIGNATURE).write_bytes(_first(tar, members, CONTENTS_SIGNATURE))
        if signer is not None:
            _check_signature(into, signer)
        contents: dict[str, Any] = json.loads(raw)
        listed: dict[str, dict[str, Any]] = contents["members"]
        missing = set(listed)
        say(f"unpacking {len(listed)} files, {sum(one['bytes'] for one in listed.values()) / 1e9:.2f} GB")
        for member in members:
            path = PurePosixPath(member.name)
            if not member.isfile() or member.name not in missing or path.is_absolute() or ".." in path.parts:
                raise CannotInstall(f"{archive}: {member.name} is not in the archive's list, or no plain file")
            _extract(tar, member, into / member.name, listed[member.name]["sha256"])
            missing.remove(member.name)
    if missing:
        raise CannotInstall(f"{archive}: cut short, {sorted(missing)[0]} and {len(missing) - 1} more are missing")
    return contents


def checks(into: Path, python: Path, contents: Mapping[str, Any]) -> Iterable[tuple[str, list[str]]]:
    """Return what is asked of the new installation itself: its models, byte by byte, and its bundle."""
    if contents["distribution"] is None:
        return
    lane = [str(python), "-m", "cli.main"]
    if any(name.startswith("models/") for name in contents["members"]):
        yield "verifying the models", [*lane, "models", "verify"]
    if (into / "bundle").is_dir():
        yield "checking the bundle", [*lane, "bundle", "check", str(into / "bundle")]


def _first(tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], name: str) -> bytes:
    member = next(iter(members), None)
    stream = tar.extractfile(member) if member is not None and member.isfile() and member.name == name else None
    if stream is None:
        raise CannotInstall(f"no archive of `lane cluster bundle`: it does not begin with {CONTENTS}")
    return stream.read()


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path, sha256: str) -> None:
    stream, digest = tar.extractfile(member), hashlib.sha256()
    assert stream is not None
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != sha256:
        raise CannotInstall(
            f"{member.name}: its bytes are not those of the archive's list. Mend: bring the archive again"
        )


def _check_signature(into: Path, signer: Path) -> None:
    """Hold the list against its signature by OpenSSL's own command: nothing of the archive is trusted so far."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise CannotInstall("--signer needs the program `openssl`")
    command = [openssl, "dgst", "-sha256", "-verify", str(signer), "-signature"]
    done = subprocess.run(  # noqa: S603 - the machine's own openssl
        [*command, str(into / CONTENTS_SIGNATURE), str(into / CONTENTS)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotInstall(f"{CONTENTS} is not signed by {signer}: {(done.stdout + done.stderr).strip()}")


def _fits(contents: Mapping[str, Any]) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if contents["python"] != here:
        raise CannotInstall(
            f"the wheels are for Python {contents['python']}, this is {here}: run install.py by that one"
        )


def _environment(into: Path, say: Say) -> Path:
    """Make a virtual environment and install the wheels, each by its hash, from the archive alone."""
    say("installing the wheels")
    _run([sys.executable, "-m", "venv", str(into / "venv")])
    python = into / "venv" / "bin" / "python"
    # --isolated: no setting of this machine may lead pip anywhere else. --no-deps: the list is complete, each by its hash.
    options = [
        "--isolated",
        "--disable-pip-version-check",
        "--quiet",
        "install",
        "--no-index",
        "--no-deps",
        "--require-hashes",
    ]
    wheels = ["--find-links", str(into / "wheels"), "--requirement", str(into / REQUIREMENTS)]
    _run([str(python), "-m", "pip", *options, *wheels])
    return python


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        raise CannotInstall(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-2000:]}")


def main(arguments: list[str]) -> int:
    """Install, say where, and return the exit code: 0 done, 1 refused."""
    parser = argparse.ArgumentParser(prog="install.py", description="Install an archive of `lane cluster bundle`.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--into", type=Path, required=True, help="the folder to make")
    parser.add_argument("--signer", type=Path, help="public key (PEM) whose signature the archive must bear")
    chosen = parser.parse_args(arguments)
    try:
        install(chosen.archive, chosen.into.resolve(), chosen.signer, lambda what: print(what, file=sys.stderr))  # noqa: T201
    except (CannotInstall, OSError, tarfile.TarError) as error:
        print(f"install.py: {error}", file=sys.stderr)  # noqa: T201 - a command of its own
        return 1
    into = chosen.into.resolve()
    print(f"LANE_HOME={into}/home LANE_MODELS={into}/models {into}/venv/bin/lane up {into}/bundle")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
