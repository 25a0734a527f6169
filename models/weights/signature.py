"""Who vouches for this folder? Its manifest bears a signature in OpenSSF model-signing's form, by a key of this site.

The manifest is what is signed, and it names every file's SHA-256: so who signed is known in a millisecond, also for 140 GB. Anyone may
check it with that project's own command and coreutils (docs/models.md). Nothing here asks a network.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from models.errors import NotTrusted
from models.manifest import MANIFEST, SIGNATURE

SIGNER_FILES: Final = "*.pub"


def sign_folder(folder: Path, private_key: Path) -> None:
    """Sign a folder's manifest with an elliptic-curve key (PEM; P-256, P-384 or P-521). Raises `NotTrusted` where that can't be done."""
    from model_signing.signing import Config

    if not (folder / MANIFEST).is_file():
        raise NotTrusted(f"{folder} has no {MANIFEST} to sign: fetch the model, or write one with `lane models sign`")
    try:
        signing = Config()  # type: ignore[no-untyped-call]
        signing.use_elliptic_key_signer(private_key=private_key).sign(folder / MANIFEST, folder / SIGNATURE)
    except (OSError, ValueError, TypeError, AttributeError) as error:  # The last for keys that are on no curve at all.
        raise NotTrusted(f"{private_key} can't sign: {error}; it must be an elliptic-curve key in PEM") from error


def signer_of(folder: Path, trusted: Iterable[Path]) -> str | None:
    """Return which of the trusted public keys signed the folder's manifest as it is now; None where nobody is named to be trusted.

    Raises `NotTrusted` where somebody is, and no signature of theirs is here.
    """
    keys = sorted(trusted)
    if not keys:
        return None
    if not (folder / SIGNATURE).is_file():
        raise NotTrusted(f"{folder / SIGNATURE} is not there, and folders must be signed here. {_MEND}")
    refusals = {key: because for key in keys if (because := _objection(folder, key)) is not None}
    good = [key for key in keys if key not in refusals]
    if good:
        return good[0].stem
    tried = "; ".join(f"{key.name}: {because}" for key, because in refusals.items())
    raise NotTrusted(f"{folder / SIGNATURE} is by nobody who is trusted here ({tried}). {_MEND}")


_MEND: Final = "Mend: fetch it from a signed source, or sign it with `lane models sign`, having checked it."


def trusted_keys(folder: Path) -> tuple[Path, ...]:
    """Return the public keys that stand in a folder of signers; none where it is not there."""
    return tuple(sorted(folder.glob(SIGNER_FILES)))


def _objection(folder: Path, public_key: Path) -> str | None:
    """Return why a key does not vouch for the manifest. Whatever a broken or forged signature file provokes there is an objection."""
    from model_signing.verifying import Config

    try:
        verifying = Config()  # type: ignore[no-untyped-call]
        verifying.use_elliptic_key_verifier(public_key=public_key).verify(folder / MANIFEST, folder / SIGNATURE)
    except Exception as error:  # noqa: BLE001 - the file is anyone's: JSON, base64, protobuf and key errors all mean "no"
        return (str(error) or type(error).__name__).splitlines()[0][:200]
    return None
