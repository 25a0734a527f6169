"""What was promised to those who wait? `ttft_p95=1s,tpot_p95=40ms`, parsed and held against what was measured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from typing_extensions import override

from router.errors import BadRequest

Measure = Literal["ttft", "tpot", "e2e"]
_TERM: Final = re.compile(
    r"(?P<measure>[a-z0-9]+)_p(?P<share>\d{1,2}(?:\.\d+)?)=(?P<value>\d+(?:\.\d+)?)(?P<unit>ms|s)"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """One promise: this share of the requests has its measure within so many seconds."""

    measure: Measure
    share: float
    seconds: float

    @override
    def __str__(self) -> str:
        return f"{self.measure}_p{self.share * 100:g}={self.seconds * 1000:g}ms"


def parse_slo(text: str) -> tuple[Bound, ...]:
    """Parse a comma-separated list of bounds. Raises `BadRequest` naming the part at fault."""
    return tuple(_bound(part.strip()) for part in text.split(",") if part.strip())


def _bound(part: str) -> Bound:
    match = _TERM.fullmatch(part)
    measures: Sequence[str] = get_args(Measure)
    if match is None or match["measure"] not in measures:
        raise BadRequest(f"--slo: {part!r} is none of {', '.join(measures)} as in ttft_p95=1s,tpot_p95=40ms", "slo")
    share = float(match["share"]) / 100
    seconds = float(match["value"]) / (1000 if match["unit"] == "ms" else 1)
    if not 0 < share < 1 or seconds == 0:
        raise BadRequest(f"--slo: {part!r}: a percentile above 0 and below 100, and a time above 0", "slo")
    return Bound(match["measure"], share, seconds)  # type: ignore[arg-type]  # checked above
