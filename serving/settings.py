"""Where things are on this machine. The one place that reads the environment for the serving side; handed down frozen."""

import hashlib
import os
import tempfile
from pathlib import Path

from router.contract import Frozen


class Settings(Frozen):
    """Folders and addresses of one installation.

    home: keys, sockets, evidence, ledger and logs (0700). models: safetensors folders. bundle: the bundle in force.
    """

    home: Path
    bundle: Path
    models: Path
    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def door_socket(self) -> Path:
        """The door's Unix socket on one box."""
        return self.home / "door.sock"

    @property
    def evidence_file(self) -> Path:
        """SQLite file of the evidence log."""
        return self.home / "evidence.sqlite"

    @property
    def state_file(self) -> Path:
        """SQLite file of the keeper's state."""
        return self.home / "state.sqlite"

    @property
    def ledger_file(self) -> Path:
        """SQLite file of the door's ledger (and used nonces); only the door opens it."""
        return self.home / "ledger.sqlite"

    @property
    def permit_key_file(self) -> Path:
        """Ed25519 private key with which the router signs permits (0600)."""
        return self.home / "permit.key"

    @property
    def permit_public_file(self) -> Path:
        """Its public half, which the door reads."""
        return self.home / "permit.pub"

    @property
    def salt_file(self) -> Path:
        """Secret from which each tenant's prefix-cache salt is made (0600)."""
        return self.home / "salt.key"

    @property
    def ray_token_file(self) -> Path:
        """Token that Ray's ports on this box ask for (0600)."""
        return self.home / "ray.token"

    @property
    def keys_file(self) -> Path:
        """API keys minted on this box: JSON, `org/key id` to key (0600)."""
        return self.home / "keys.json"

    @property
    def lanes_off_folder(self) -> Path:
        """Tags of the lanes that an operator switched off (`serving.lockout`); the door and every ingress replica read it."""
        return self.home / "lanes-off"

    @property
    def ray_folder(self) -> Path:
        """Ray's temporary folder, one per home: short, because Unix sockets' paths are limited to 107 characters."""
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"lane-{digest}"

    @property
    def logs(self) -> Path:
        """Log files of the processes."""
        return self.home / "logs"


def read_settings(bundle: Path | None = None, port: int | None = None) -> Settings:
    """Read `LANE_HOME` (.lane), `LANE_BUNDLE` (config/starter), `LANE_MODELS` (.cache/models), `LANE_HOST`, `LANE_PORT`."""
    return Settings(
        home=Path(os.environ.get("LANE_HOME", ".lane")).resolve(),
        bundle=(bundle or Path(os.environ.get("LANE_BUNDLE", "config/starter"))).resolve(),
        models=Path(os.environ.get("LANE_MODELS", ".cache/models")).resolve(),
        host=os.environ.get("LANE_HOST", "127.0.0.1"),
        port=port or int(os.environ.get("LANE_PORT", "8000")),
    )
