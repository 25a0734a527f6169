"""What is to be done about a sample on which the boundary was wrong? A row to scan again and to train on, and a case of the bundle's own.

Pure. A case fails until the miss is mended: that is what it is for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from serving.leaks.samples import Sample
from serving.leaks.verdicts import Verdict

_HEAD: Final = """\
# Texts that left and should have stayed, as people judged them (lane leak-rate export).
# REAL DATA: keep it where such texts may be kept.
"""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A sample, the verdict that says otherwise than the boundary did, and its text."""

    sample: Sample
    verdict: Verdict
    text: str

    @property
    def row(self) -> dict[str, Any]:
        """The line for `lane scan --input` and for training."""
        categories = list(self.verdict.categories)
        return {
            "id": self.sample.id,
            "text": self.text,
            "stays": self.verdict.stays,
            "categories": categories,
            "judge": self.verdict.judge,
        }


def is_wrong(sample: Sample, verdict: Verdict) -> bool:
    """Tell whether the verdict says otherwise than the boundary did: it left and should have stayed, or the other way round."""
    return verdict.stays is not None and verdict.stays == (sample.stratum.population == "left")


def cases(wrong: Iterable[Wrong]) -> str:
    """Return a file of cases for `lane policy test`: what left by a lane, and finds that lane closed once the miss is mended."""
    leaked = [one for one in wrong if one.sample.stratum.population == "left"]
    return _HEAD + yaml.safe_dump(
        {"cases": [_case(one) for one in leaked]}, allow_unicode=True, sort_keys=False, width=140
    )


def _case(wrong: Wrong) -> Mapping[str, Any]:
    stratum = wrong.sample.stratum
    held = ", ".join(wrong.verdict.categories) or "it is confidential"
    return {
        "name": f"what left by {stratum.lane} in {stratum.week} and should have stayed ({held}; sample {wrong.sample.id})",
        "request": {"org": stratum.org, "model": stratum.lane, "text": wrong.text},
        "expect": {"closed": [stratum.lane]},
    }
