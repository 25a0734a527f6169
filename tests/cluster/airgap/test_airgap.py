"""An archive installs from itself alone, in a namespace without a route; whatever was changed on its way is named and refused."""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster.airgap import install
from cluster.airgap.pack import BILL, Content, pack
from cluster.airgap.sbom import CarriedModel
from cluster.airgap.wheels import read_wheels
from models.manifest import verify_folder, write_manifest
from router.errors import BadRequest

NOW = datetime(2026, 11, 24, 19, tzinfo=UTC)
PROBE = """
import socket
def reached():
    try:
        socket.create_connection(("192.0.2.1", 443), timeout=2)
    except OSError as error:
        return error.strerror
    return "somewhere"
"""


def _wheel(folder: Path, name: str, version: str, module: str) -> Path:
    """A wheel as pip takes it: one module, metadata, and the record of both."""
    file, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": module,
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in members.items()
    )
    with zipfile.ZipFile(file, "w") as wheel:
        for path, text in {**members, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)
    return file


@pytest.fixture
def content(tmp_path: Path) -> Content:
    wheels, model = tmp_path / "wheels", tmp_path / "models" / "m"
    wheels.mkdir()
    model.mkdir(parents=True)
    _wheel(wheels, "probe", "1.0", PROBE)
    _wheel(wheels, "helper", "2.5", "VALUE = 7\n")
    (model / "model.safetensors").write_bytes(bytes(range(256)) * 16)
    (model / "config.json").write_text("{}")
    write_manifest(model)
    carried = CarriedModel("m", "m", model, "hub:lab/m@c0ffee", "Apache-2.0")
    return Content(read_wheels(wheels), (carried,), Path("config/starter").resolve(), "0.1.0", NOW)


def _key_pair(folder: Path) -> tuple[Path, Path]:
    private = ec.generate_private_key(ec.SECP256R1())
    secret, public = folder / "site.pem", folder / "site.pub"
    secret.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return secret, public


def _packed(content: Content, out: Path, key: Path | None = None) -> Path:
    pack(content, out, key, lambda _count: None)
    return out


def _rewritten(archive: Path, out: Path, change: dict[str, bytes | None]) -> Path:
    """The archive with members changed (bytes) or left out (None); its list stays as it was."""
    with tarfile.open(archive) as old, tarfile.open(out, "w") as new:
        for member in old:
            stream = old.extractfile(member)
            assert stream is not None
            body = change.get(member.name, stream.read())
            if body is not None:
                member.size = len(body)
                new.addfile(member, io.BytesIO(body))
    return out


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="the program `unshare` (util-linux) is not installed")
def test_an_archive_installs_by_its_own_installer_in_a_namespace_without_a_route(
    content: Content, tmp_path: Path
) -> None:
    secret, public = _key_pair(tmp_path)
    archive, there = _packed(content, tmp_path / "lane.tar", secret), tmp_path / "there"
    there.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(there), "install.py"], check=True)
    # A bare Python (-I -S: no packages, no settings), no route out, and pip settings that would lead elsewhere.
    settings = {"PATH": os.environ["PATH"], "PIP_INDEX_URL": "https://index.invalid/simple", "HOME": str(there)}
    python = Path(sys.base_prefix) / "bin" / "python3"
    alone = ["unshare", "--map-root-user", "--net"]
    arguments = [str(archive), "--into", str(there / "lane"), "--signer", str(public)]

    done = subprocess.run(
        [*alone, str(python), "-I", "-S", str(there / "install.py"), *arguments],
        env=settings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "lane up" in done.stdout
    assert verify_folder(there / "lane" / "models" / "m")
    installed = [
        str(there / "lane" / "venv" / "bin" / "python"),
        "-c",
        "import helper, probe; print(helper.VALUE, probe.reached())",
    ]
    said = subprocess.run([*alone, *installed], capture_output=True, text=True, check=True).stdout
    assert said == "7 Network is unreachable\n"


@pytest.mark.parametrize(
    "member",
    ["models/m/model.safetensors", "bundle/lanes.yaml", "requirements.txt", "wheels/probe-1.0-py3-none-any.whl"],
)
def test_a_member_that_was_changed_is_named_and_nothing_is_installed(
    content: Content, tmp_path: Path, member: str
) -> None:
    archive = _rewritten(_packed(content, tmp_path / "a.tar"), tmp_path / "b.tar", {member: b"changed"})

    with pytest.raises(install.CannotInstall, match=member.replace(".", r"\.")):
        install.install(archive, tmp_path / "lane", say=lambda _: None)

    assert not (tmp_path / "lane").exists()
    assert not list(tmp_path.glob(".lane-*"))


def test_an_archive_that_was_cut_short_says_what_is_missing(content: Content, tmp_path: Path) -> None:
    archive = _rewritten(_packed(content, tmp_path / "a.tar"), tmp_path / "b.tar", {"bundle/tiers.yaml": None})

    with pytest.raises(install.CannotInstall, match=r"cut short, bundle/tiers\.yaml and 0 more"):
        install.install(archive, tmp_path / "lane", say=lambda _: None)


def test_a_member_that_is_not_listed_or_leads_out_is_refused(content: Content, tmp_path: Path) -> None:
    archive = _packed(content, tmp_path / "a.tar")
    with tarfile.open(archive, "a") as tar:
        tar.addfile(tarfile.TarInfo("../outside"), io.BytesIO())

    with pytest.raises(install.CannotInstall, match=r"\.\./outside is not in the archive's list"):
        install.install(archive, tmp_path / "lane", say=lambda _: None)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the program `openssl` is not installed")
def test_an_archive_must_be_signed_by_the_signer_that_was_asked_for(content: Content, tmp_path: Path) -> None:
    secret, public = _key_pair(tmp_path)
    unsigned, signed = _packed(content, tmp_path / "a.tar"), _packed(content, tmp_path / "b.tar", secret)
    (tmp_path / "un").mkdir()
    (tmp_path / "si").mkdir()

    with pytest.raises(install.CannotInstall, match=r"not signed by .*site\.pub"):
        install.unpack(unsigned, tmp_path / "un", public, lambda _: None)

    assert install.unpack(signed, tmp_path / "si", public, lambda _: None)["members"]


def test_the_bill_of_materials_is_cyclonedx_and_names_wheels_and_models(content: Content, tmp_path: Path) -> None:
    with tarfile.open(_packed(content, tmp_path / "a.tar")) as tar:
        stream = tar.extractfile(BILL)
        assert stream is not None
        bill = json.load(stream)

    schemas = files("cyclonedx.schema") / "_res"
    names = [f"{one}.SNAPSHOT.schema.json" for one in ("bom-1.6", "spdx", "jsf-0.82")]
    read = {name: json.loads((schemas / name).read_text()) for name in names}
    registry = jsonschema_rs.Registry([(f"http://cyclonedx.org/schema/{name}", read[name]) for name in names])
    validator = jsonschema_rs.validator_for(read[names[0]], registry=registry)
    assert not [error.message for error in validator.iter_errors(bill)]
    components = {one["name"]: one for one in bill["components"]}
    assert components["probe"]["purl"] == "pkg:pypi/probe@1.0"
    assert components["probe"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert components["m"]["type"] == "machine-learning-model"


def test_the_same_content_gives_the_same_archive(content: Content, tmp_path: Path) -> None:
    first, second = _packed(content, tmp_path / "a.tar"), _packed(content, tmp_path / "b.tar")

    assert first.read_bytes() == second.read_bytes()


def test_two_versions_of_one_wheel_are_refused(tmp_path: Path) -> None:
    for version in ("1.0", "1.1"):
        _wheel(tmp_path, "probe", version, "")

    with pytest.raises(BadRequest, match="remove one"):
        read_wheels(tmp_path)


def test_nothing_is_installed_over_something_else(content: Content, tmp_path: Path) -> None:
    (tmp_path / "lane").mkdir()

    with pytest.raises(install.CannotInstall, match="exists"):
        install.install(_packed(content, tmp_path / "a.tar"), tmp_path / "lane")
