import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from router.bundle import Bundle, load_bundle
from router.testing import ScriptedHeads

Edit = tuple[str, str, str]
"""A file of the bundle, and a text in it that is replaced by another."""


@pytest.fixture
def edited(tmp_path: Path, starter_folder: Path) -> Callable[..., Path]:
    """Copies of the starter bundle with some texts replaced."""

    def edit(*edits: Edit, name: str = "bundle") -> Path:
        folder = shutil.copytree(starter_folder, tmp_path / name)
        for file, old, new in edits:
            text = (folder / file).read_text()
            assert text.count(old) >= 1, (file, old)
            (folder / file).write_text(text.replace(old, new, 1))
        return folder

    return edit


@pytest.fixture
def version(edited: Callable[..., Path], heads: ScriptedHeads) -> Callable[..., Bundle]:
    """Such a copy, loaded."""
    return lambda *edits: load_bundle(edited(*edits), heads)
