"""What a process keeps to itself, tried from outside: by another process of the same user, which is not root."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.privacy import CannotBecome, become

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of another user")
SOMEBODY = "nobody"
SECRET = "sk-kept-from-the-neighbours"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path.cwd())),
    "LANE_SECRET": SECRET,
}
_AS_ANY_PROCESS = "import ctypes; ctypes.CDLL(None).prctl(4, 1)"
"""The kernel closes a process that changes its user; this opens it again, as one is that was started by that user."""


@contextmanager
def process(script: str, environment: Mapping[str, str] = ENVIRONMENT) -> Iterator[subprocess.Popen[str]]:
    """Run a script that says `ready` and then waits for the end of its input."""
    code = f"import os, sys\nfrom serving import privacy\n{script}\nprint('ready', flush=True)\nsys.stdin.read()"
    running = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    try:
        assert running.stdout.readline() == "ready\n"
        yield running
    finally:
        running.communicate()


def can_be_read(pid: int, name: str) -> bool:
    """Whether another process of that user can open this file of a process below /proc."""
    command = ["head", "-c0", f"/proc/{pid}/{name}"]
    # The kernel compares the groups too.
    somebody = {"user": SOMEBODY, "group": pwd.getpwnam(SOMEBODY).pw_gid, "extra_groups": []}
    return subprocess.run(command, check=False, capture_output=True, **somebody).returncode == 0


@pytest.mark.slow
@as_root
@pytest.mark.parametrize("name", ["environ", "mem", "maps"])
def test_a_process_that_keeps_to_itself_is_closed_to_others_of_its_user(name: str) -> None:
    somebody_s = f"privacy.become({SOMEBODY!r})\n{_AS_ANY_PROCESS}"
    with process(somebody_s) as open_one, process(f"{somebody_s}\nprivacy.keep_to_itself()") as closed_one:
        assert can_be_read(open_one.pid, name), "without it, anybody of that user reads it"
        assert not can_be_read(closed_one.pid, name)


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_what_was_forgotten_is_nowhere_in_the_environment_even_for_root() -> None:
    script = "privacy.forget(['LANE_SECRET', 'LANE_UNSET'])\nassert 'LANE_SECRET' not in os.environ"
    with process("") as remembers, process(script) as forgets:
        assert SECRET.encode() in environment_of(remembers.pid)
        assert SECRET.encode() not in environment_of(forgets.pid)
        assert ENVIRONMENT["PATH"].encode() in environment_of(forgets.pid)


def test_a_variable_whose_name_only_begins_alike_is_kept() -> None:
    environment = ENVIRONMENT | {"LANE_SECRET_TOO": "kept", "NOT_LANE_SECRET": "kept as well"}
    with process("privacy.forget(['LANE_SECRET'])", environment) as running:
        left = environment_of(running.pid)

    assert b"LANE_SECRET_TOO=kept\0" in left
    assert b"NOT_LANE_SECRET=kept as well\0" in left


@as_root
def test_whoever_became_another_user_stays_it_without_its_old_groups() -> None:
    script = (
        f"privacy.become({SOMEBODY!r})\n"
        "try: os.setuid(0)\nexcept PermissionError: pass\nelse: raise SystemExit('it could go back')\n"
        "assert os.getgroups() == [], os.getgroups()"
    )
    with process(script) as running:
        status = Path(f"/proc/{running.pid}/status").read_text().splitlines()

    [ids] = [line.split()[1:] for line in status if line.startswith("Uid:")]
    assert set(ids) == {str(pwd.getpwnam(SOMEBODY).pw_uid)}


def test_a_user_that_is_not_there_is_named_with_the_mend() -> None:
    with pytest.raises(CannotBecome, match="useradd"):
        become("nobody-of-this-name")


def test_to_become_oneself_changes_nothing() -> None:
    become(pwd.getpwuid(os.getuid()).pw_name)
