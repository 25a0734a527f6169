"""`lane models fetch` from a hub's mirror, a bucket and a folder, each over real HTTP or a real disk, cut and killed on the way."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.manifest import verify_folder

_SPEC = importlib.util.spec_from_file_location("mirror", Path(__file__).parents[1] / "models" / "weights" / "mirror.py")
assert _SPEC is not None
assert _SPEC.loader is not None
mirror_module = importlib.util.module_from_spec(_SPEC)
sys.modules["mirror"] = mirror_module
_SPEC.loader.exec_module(mirror_module)

pytestmark = pytest.mark.slow
WEIGHTS = bytes(range(256)) * 8192


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Any]:
    folder = tmp_path / "origin"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "modeling_tiny.py").write_text("import os")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with mirror_module.serving(folder) as running:
        yield running


def _lane(tmp_path: Path, mirror: Any, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "AWS_", "LANE_"))}
    environment |= {
        "LANE_HOME": str(tmp_path / "home"),
        "LANE_MODELS": str(tmp_path / "models"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "AWS_ENDPOINT_URL": mirror.address,
        "AWS_ACCESS_KEY_ID": "of-the-test",
        "AWS_SECRET_ACCESS_KEY": "of-the-test",
        "AWS_REGION": "eu-central-1",
    }
    command = [sys.executable, "-m", "cli.main", "models", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _said(process: subprocess.Popen[str], code: int = 0) -> tuple[list[dict[str, Any]], str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    return [json.loads(line) for line in out.splitlines()], err


def test_a_hub_that_breaks_off_twice_is_asked_for_the_rest_and_what_is_refused_is_named(
    tmp_path: Path, mirror: Any
) -> None:
    mirror.cut_after_bytes = [700_000, 500_000]

    (line,), err = _said(_lane(tmp_path, mirror, "fetch", "lab/tiny", "--from", mirror.address, "--json"))

    folder = tmp_path / "models" / "tiny"
    assert verify_folder(folder) == line["weights_hash"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert line["origin"] == f"{mirror.address}/lab/tiny@{mirror_module.COMMIT}"
    assert {one["file"] for one in line["left"]} == {"modeling_tiny.py", "pytorch_model.bin"}
    assert "modeling_tiny.py: code" in err
    starts = [int(str(asked).split("=")[1].rstrip("-")) for asked in mirror.offsets("model.safetensors")]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert len(starts) == 3
    assert 600_000 < starts[1] <= 700_000
    assert 1_100_000 < starts[2] <= 1_200_000
    assert {file for file, _ in mirror.asked} == {"model.safetensors", "config.json", "tokenizer.json"}


def test_a_fetch_that_was_killed_goes_on_where_it_was(tmp_path: Path, mirror: Any) -> None:
    mirror.stop_after_bytes = 1_500_000
    killed = _lane(tmp_path, mirror, "fetch", "lab/tiny", "--from", mirror.address)
    parts = tmp_path / "models"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _only_the_large_file_is_missing(parts):
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (parts / "tiny").exists()
    mirror.stop_after_bytes = None
    mirror.asked.clear()

    _said(_lane(tmp_path, mirror, "fetch", "lab/tiny", "--from", mirror.address, "--json"))

    assert (parts / "tiny" / "model.safetensors").read_bytes() == WEIGHTS
    (asked,) = mirror.offsets("model.safetensors")
    assert int(asked.split("=")[1].rstrip("-")) >= 1_000_000
    assert {file for file, _ in mirror.asked} == {"model.safetensors"}, "whole files came twice"


def test_a_mirror_without_ranges_and_with_a_bad_minute_still_gives_the_same_bytes(tmp_path: Path, mirror: Any) -> None:
    mirror.knows_ranges = False
    mirror.cut_after_bytes = [300_000]
    mirror.answers = [503]

    _said(_lane(tmp_path, mirror, "fetch", "lab/tiny", "--from", mirror.address, "--json"))

    assert (tmp_path / "models" / "tiny" / "model.safetensors").read_bytes() == WEIGHTS


def test_a_model_that_is_not_there_is_said_at_once(tmp_path: Path, mirror: Any) -> None:
    (line,), _ = _said(_lane(tmp_path, mirror, "fetch", "lab/other", "--from", mirror.address, "--json"), code=1)

    assert line["error"]["code"] == "model_refused"
    assert "HTTP 404 (no such model or revision)" in line["error"]["message"]


def test_a_bucket_is_listed_and_read_by_ranges(tmp_path: Path, mirror: Any) -> None:
    mirror.cut_after_bytes = [900_000]

    (line,), _ = _said(_lane(tmp_path, mirror, "fetch", "lab/tiny", "--from", "s3://weights", "--json"))

    assert verify_folder(tmp_path / "models" / "tiny") == line["weights_hash"]
    assert line["origin"] == "s3://weights"
    assert {file for file, _ in mirror.asked} == {"model.safetensors", "config.json", "tokenizer.json"}
    assert int(mirror.offsets("model.safetensors")[-1].split("=")[1].split("-")[0]) > 700_000


def test_the_site_signs_a_node_checks_and_a_wrong_byte_is_named(tmp_path: Path, mirror: Any) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key, signers = tmp_path / "site.pem", tmp_path / "home" / "model-signers"
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    signers.mkdir(parents=True)
    (signers / "site.pub").write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    _, err = _said(_lane(tmp_path, mirror, "fetch", "lab/tiny", "--from", mirror.address), code=1)
    assert "MANIFEST.sha256.sig is not there" in err
    assert not mirror.offsets("model.safetensors"), "weights were read that nobody vouches for"
    fetch = ("fetch", "lab/tiny", "--from", mirror.address, "--key", str(key), "--json")
    (line,), _ = _said(_lane(tmp_path, mirror, *fetch))
    assert line["signer"] == "site"
    asked = len(mirror.asked)

    (line,), _ = _said(_lane(tmp_path, mirror, *fetch))
    assert (line["how"], len(mirror.asked)) == ("sealed", asked)
    (line,), _ = _said(_lane(tmp_path, mirror, "verify", "tiny", "--json"))
    assert (line["ok"], line["signer"]) == (True, "site")
    spoilt = bytearray(WEIGHTS)
    spoilt[12345] ^= 1
    weights = tmp_path / "models" / "tiny" / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(spoilt)
    (line,), _ = _said(_lane(tmp_path, mirror, "verify", "--json"), code=1)
    assert (line["ok"], "model.safetensors: its bytes" in line["because"]) == (False, True)

    _, err = _said(_lane(tmp_path, mirror, *fetch))

    assert "what is here is replaced" in err
    assert weights.read_bytes() == WEIGHTS


def _only_the_large_file_is_missing(models: Path) -> bool:
    part_bytes = sum(part.stat().st_size for part in models.glob(".fetch-*/model.safetensors.part"))
    whole = {file.name for file in models.glob(".fetch-*/*.json")}
    return part_bytes >= 1_000_000 and whole == {"config.json", "tokenizer.json"}
