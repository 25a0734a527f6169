"""What does a run leave behind? One document: the profile that planner and autoscaler read, and each request's own figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from cluster.planner.steady import Sample
from cluster.profile import Profile
from router.contract import Frozen
from router.errors import RouterError

REPORT = "report.json"


class ReportUnreadable(RouterError):
    """A report can't be read; the message says which and why."""

    code = "report_unreadable"
    exit_code = 2


class Requests(Frozen):
    """The requests of one level's steady part, one figure each, in the order they started."""

    input_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    ttft_seconds: tuple[float, ...]
    tpot_seconds: tuple[float, ...]
    e2e_seconds: tuple[float, ...]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "Requests":
        """Keep what a later comparison needs, to the microsecond."""
        return cls(
            input_tokens=tuple(sample.input_tokens for sample in samples),
            output_tokens=tuple(sample.output_tokens for sample in samples),
            ttft_seconds=tuple(round(sample.ttft, 6) for sample in samples),
            tpot_seconds=tuple(round(sample.tpot, 6) for sample in samples),
            e2e_seconds=tuple(round(sample.end_to_end, 6) for sample in samples),
        )


class Report(Frozen):
    """A run. `requests` are in the order of `profile.points`. `remarks`: what a reader must know (what could not be read, say)."""

    schema_version: Literal[1] = 1
    profile: Profile
    requests: tuple[Requests, ...]
    load_tool: str
    remarks: tuple[str, ...] = Field(default=())


def read_report(path: Path) -> Report:
    """Read a run from its folder or its file. Raises `ReportUnreadable`."""
    file = path / REPORT if path.is_dir() else path
    try:
        return Report.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ReportUnreadable(f"{file}: {error.strerror}; name a folder that `lane bench run --out` wrote") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ReportUnreadable(f"{file}: {where}: {first['msg']}; `lane bench run` writes reports") from error
