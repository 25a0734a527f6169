from pathlib import Path

import pytest

from router.errors import BadRequest
from serving.change.approvers import make_key, read_key, trust, trusted
from serving.permit_keys import KeyUnusable


def test_a_private_key_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    private, _ = make_key("ann", tmp_path / "keys")

    assert private.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadRequest, match="there already"):
        make_key("ann", tmp_path / "keys")


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    private, _ = make_key("ann", tmp_path)
    private.chmod(0o640)

    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_key(private)


def test_a_trusted_key_is_known_by_its_name_here(tmp_path: Path) -> None:
    private, public = make_key("ann", tmp_path)

    key = trust(public, "ann-from-risk", tmp_path / "approvers")

    assert trusted(tmp_path / "approvers") == {key: "ann-from-risk"}
    assert read_key(private).public_key().public_bytes_raw().hex() == key


def test_one_key_is_one_approver(tmp_path: Path) -> None:
    _, public = make_key("ann", tmp_path)
    trust(public, "ann", tmp_path / "approvers")

    with pytest.raises(BadRequest, match="one key is one approver"):
        trust(public, "bob", tmp_path / "approvers")


def test_a_copied_key_file_makes_no_second_approver(tmp_path: Path) -> None:
    _, public = make_key("ann", tmp_path)
    trust(public, "ann", tmp_path / "approvers")
    (tmp_path / "approvers" / "bob.pub").write_bytes(public.read_bytes())

    assert list(trusted(tmp_path / "approvers").values()) == ["ann"]


def test_a_name_does_not_change_its_key_silently(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        make_key("ann", tmp_path / folder)
    trust(tmp_path / "one" / "ann.pub", "ann", tmp_path / "approvers")

    with pytest.raises(BadRequest, match="another key here"):
        trust(tmp_path / "two" / "ann.pub", "ann", tmp_path / "approvers")


@pytest.mark.parametrize("name", ["../ann", "", ".ann", "a/b", "a" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        make_key(name, tmp_path)


def test_a_key_file_that_holds_none_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "ann.pub").write_text("no key")

    with pytest.raises(KeyUnusable, match=r"ann\.pub"):
        trusted(tmp_path)
