"""Who signed is known from the manifest alone; a folder by nobody who is trusted is refused before its weights are read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from models.errors import NotTrusted
from models.manifest import MANIFEST, SIGNATURE, altered_files, write_manifest
from models.weights.fetch import carry_out, plan_fetch
from models.weights.local import FolderSource
from models.weights.signature import sign_folder, signer_of, trusted_keys
from models.weights.verify import admit

NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)


def _key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    secret, public = folder / f"{name}.pem", folder / f"{name}.pub"
    secret.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return secret, public


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mirror" / "m"
    made.mkdir(parents=True)
    (made / "model.safetensors").write_bytes(bytes(range(256)))
    (made / "config.json").write_text("{}")
    write_manifest(made)
    return made


def test_a_signed_folder_names_its_signer_and_the_signature_is_no_stray_file(folder: Path, tmp_path: Path) -> None:
    secret, public = _key_pair(tmp_path / "keys", "site")
    _, other = _key_pair(tmp_path / "keys", "other")

    sign_folder(folder, secret)

    assert signer_of(folder, (other, public)) == "site"
    assert altered_files(folder) == ()
    assert admit(folder, trusted_keys(tmp_path / "keys"), NOW).signer == "site"


def test_a_stranger_s_signature_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    secret, _ = _key_pair(tmp_path / "strangers", "stranger")
    _, public = _key_pair(tmp_path / "keys", "site")
    sign_folder(folder, secret)

    with pytest.raises(NotTrusted, match=r"site\.pub"):
        signer_of(folder, (public,))


def test_a_manifest_that_was_changed_after_it_was_signed_is_refused(folder: Path, tmp_path: Path) -> None:
    secret, public = _key_pair(tmp_path / "keys", "site")
    sign_folder(folder, secret)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    write_manifest(folder)

    with pytest.raises(NotTrusted, match="mismatch"):
        admit(folder, (public,), NOW)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"verificationMaterial": {}}', b"null"])
def test_whatever_stands_in_the_signature_s_place_is_refused_as_untrusted(
    folder: Path, tmp_path: Path, content: bytes
) -> None:
    _, public = _key_pair(tmp_path / "keys", "site")
    (folder / SIGNATURE).write_bytes(content)

    with pytest.raises(NotTrusted):
        signer_of(folder, (public,))


def test_a_mirror_that_is_not_signed_is_refused_before_its_weights_are_read(folder: Path, tmp_path: Path) -> None:
    _, public = _key_pair(tmp_path / "keys", "site")
    with pytest.raises(NotTrusted):
        carry_out(
            plan_fetch(FolderSource(folder, "m"), tmp_path / "models" / "m", (public,)),
            now=NOW,
            advance=lambda _, __: None,
            trusted=(public,),
        )
    assert not (tmp_path / "models" / "m").exists()

    secret, stranger = _key_pair(tmp_path / "strangers", "stranger")
    sign_folder(folder, secret)
    with pytest.raises(NotTrusted):
        plan_fetch(FolderSource(folder, "m"), tmp_path / "models" / "m", (public,))

    assert plan_fetch(FolderSource(folder, "m"), tmp_path / "models" / "m", (stranger,)).vouched is not None


def test_the_site_signs_what_it_fetches_and_its_nodes_take_that_signature_along(folder: Path, tmp_path: Path) -> None:
    secret, public = _key_pair(tmp_path / "keys", "site")
    (folder / MANIFEST).unlink()  # As at a hub.

    def fetch(place: Path, into: Path, key: Path | None) -> str | None:
        plan = plan_fetch(FolderSource(place, "m"), into, (public,))
        return carry_out(plan, now=NOW, advance=lambda _, __: None, trusted=(public,), private_key=key).signer

    assert fetch(folder, tmp_path / "station" / "m", secret) == "site"
    assert fetch(tmp_path / "station", tmp_path / "node" / "m", None) == "site"


def test_a_key_of_another_kind_cannot_sign_and_says_which_can(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "ed25519.pem"
    key.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )

    with pytest.raises(NotTrusted, match="elliptic-curve key in PEM"):
        sign_folder(folder, key)
