"""How do the router and the door of a site know each other? By an authority made for that alone, and one certificate for each side."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from cluster.authority import CLIENT, SERVER, Authority, key_pem, new_key


def certificates(door_names: Sequence[str], days: int, now: datetime | None = None) -> Mapping[str, bytes]:
    """Return the files of a new authority by path: `ca.key` (keep it offline), and `door/` and `router/` with three files each.

    `door_names`: the host names and addresses under which nodes reach the door. They are good for `days`.
    """
    authority = Authority.new("private-lane site authority", days, now)
    files = {"ca.key": authority.key_pem}
    for side, names, usage in (("door", door_names, SERVER), ("router", ("router",), CLIENT)):
        key = new_key()
        files[f"{side}/ca.pem"] = authority.pem
        files[f"{side}/cert.pem"] = authority.issue(side, names, [usage], key.public_key(), days, now)
        files[f"{side}/key.pem"] = key_pem(key)
    return files
