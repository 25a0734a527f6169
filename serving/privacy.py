"""What can a neighbour read of this process? Neither its environment nor its memory, unless the neighbour is root.

On Linux a process may read `/proc/PID/environ` and `/proc/PID/mem` of any other one of its user, unless that one is not dumpable.
Root reads everything: against code that runs as root, only another machine keeps a secret.
"""

import ctypes
import os
import pwd
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from router.errors import RouterError

_PR_SET_DUMPABLE: Final = 4
_ENV_START, _ENV_END = 50, 51
"""Numbers of the fields of /proc/PID/stat (proc_pid_stat(5)) that hold the addresses of the environment that it was started with."""


class CannotBecome(RouterError):
    """The process can't become the user that it should run as."""

    code = "cannot_become_user"


def keep_to_itself() -> None:
    """Have the kernel refuse this process's environment and memory to others of its user, and write no core dump of it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def forget(variables: Iterable[str]) -> None:
    """Take variables out of this process's environment, and overwrite them where the kernel shows it to whoever may look."""
    names = [os.fsencode(name) for name in variables]
    for name in names:
        os.environb.pop(name, None)
    if sys.platform != "linux":
        return
    # The process's name stands in brackets and may hold anything; the third field follows it.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[_ENV_START - 3]), int(fields[_ENV_END - 3])
    place = start
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name in names:
            ctypes.memset(place + len(name) + 1, 0, len(value))
        place += len(entry) + 1


def become(user: str) -> None:
    """Be another user from here on, with its own group and no other, for good. Raises `CannotBecome`."""
    try:
        wanted = pwd.getpwnam(user)
    except KeyError as error:
        raise CannotBecome(f"there is no user {user!r} on this machine; `useradd --system {user}` makes one") from error
    if os.getuid() == wanted.pw_uid:
        return
    if os.getuid() != 0:
        raise CannotBecome(f"only root can become {user!r}; start it as root, or as {user!r}")
    os.setgroups([])
    os.setgid(wanted.pw_gid)
    os.setuid(wanted.pw_uid)
