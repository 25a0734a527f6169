"""May this text take the place of a bundle's models.yaml? Only where the bundle checks as well as before; then whole or not at all."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from router.errors import BundleInvalid

FILE: Final = "models.yaml"


def replace_models(root: Path, text: str) -> None:
    """Write the file anew. Raises `BundleInvalid`, with nothing written, when the bundle would have findings that it does not have now."""
    _hold_against_the_rest(root, text)
    _replace(root / FILE, text)


def _hold_against_the_rest(root: Path, text: str) -> None:
    """Raise `BundleInvalid` when the bundle would have findings that it does not have now."""
    from router.bundle import check_bundle

    with tempfile.TemporaryDirectory(prefix="lane-edit-") as scratch:
        tried = Path(scratch) / root.name
        shutil.copytree(root, tried, symlinks=True)
        known = {(one.file, one.message) for one in check_bundle(tried)}
        (tried / FILE).write_text(text, encoding="utf-8")
        new = [one for one in check_bundle(tried) if (one.file, one.message) not in known]
    if new:
        listed = "\n".join(f"  {one.file}:{one.line}: {one.message} ({one.mend})" for one in new)
        raise BundleInvalid(f"nothing was written: with this {FILE} {root} would not check:\n{listed}")


def _replace(file: Path, text: str) -> None:
    """Write the file whole or not at all: a running system may be reading it."""
    with tempfile.NamedTemporaryFile(
        "w", dir=file.parent, prefix=f".{file.name}-", delete=False, encoding="utf-8"
    ) as new:
        new.write(text)
    shutil.copymode(file, new.name)
    Path(new.name).replace(file)
