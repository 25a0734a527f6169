"""What may leave under this bundle and could not under that one, and the other way round? In sentences, for whoever approves it.

The comparison itself is `router.policy.widens`: both boundaries over every question there is, and what labels a text.
"""

from dataclasses import dataclass, replace

from router.bundle import Bundle
from router.policy import widens


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles' difference in what may leave. Both can be there: one way out was opened, another closed."""

    widens: tuple[str, ...]
    tightens: tuple[str, ...]


def compare(old: Bundle | None, new: Bundle) -> Comparison:
    """Compare a bundle with the one in force. Where none is, nothing may leave: whatever the new one lets out is wider.

    Raises `SpaceTooLarge` and `TablesDisagree` where the comparison can't be made: then there is none.
    """
    before = old or _without_a_way_out(new)
    return Comparison(
        tuple(one.what for one in widens(before, new)),
        tuple(f"the way back would widen: {one.what}" for one in widens(new, before)),
    )


def _without_a_way_out(bundle: Bundle) -> Bundle:
    return replace(bundle, lanes={name: lane for name, lane in bundle.lanes.items() if not lane.is_hosted})
