"""Where do a cluster's files lie on a machine? One place for each, below a prefix that is `/` but in tests and images."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

USER = "lane"
"""Ray, the router and the engines."""
ENROL_USER = "lane-enrol"
"""The enrolment service: it holds the authority's key, which no code in Ray may reach."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one machine."""

    root: Path

    @property
    def etc(self) -> Path:
        """Configuration."""
        return self.root / "etc/lane"

    @property
    def node_file(self) -> Path:
        """What this machine is: `ThisNode`."""
        return self.etc / "node.json"

    @property
    def ray_environment_file(self) -> Path:
        """Variables of everything in Ray (`EnvironmentFile=`); no secret is in it, only where secrets lie."""
        return self.etc / "ray.env"

    @property
    def tls(self) -> Path:
        """`ca.pem`, `cert.pem`, `key.pem` of this node."""
        return self.etc / "tls"

    @property
    def ray_token(self) -> Path:
        """What Ray's ports ask for."""
        return self.etc / "ray.token"

    @property
    def units(self) -> Path:
        """Where systemd looks for units."""
        return self.root / "etc/systemd/system"

    @property
    def enrol(self) -> Path:
        """On the head alone: the authority, the register and what the enrolment service hands out."""
        return self.root / "var/lib/lane-enrol"

    @property
    def authority(self) -> Path:
        """The authority's certificate."""
        return self.enrol / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's key."""
        return self.enrol / "ca.key"

    @property
    def register(self) -> Path:
        """Join tokens and the nodes that joined (SQLite)."""
        return self.enrol / "register.sqlite"

    @property
    def state(self) -> Path:
        """Ray's folder, the GCS's store, metrics and the router's home."""
        return self.root / "var/lib/lane"

    def make_state(self) -> None:
        """Make the folders that units write to."""
        for folder in (self.state, self.state / "metrics", self.state / "scratch"):
            self.folder(folder, USER)

    def folder(self, path: Path, user: str) -> None:
        """Make a folder that `user` alone enters."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give(path, user)

    def write(self, path: Path, content: str | bytes, *, user: str | None = None) -> Path:
        """Write a file whole or not at all: readable by `user` alone, or by all where nobody is named."""
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644 if user is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if user is not None:
            _give(partial, user)
        partial.replace(path)
        return path


def _give(path: Path, user: str) -> None:
    """Make it `user`'s, where we are root and there is such a user: an image is made before its users are."""
    if os.geteuid() == 0:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            return
        os.chown(path, entry.pw_uid, entry.pw_gid)
