"""Where in a home are the samples and verdicts? Read together, forgotten together."""

from pathlib import Path

from serving.leaks.samples import Counted, empty, read_samples
from serving.leaks.verdicts import Verdict, read_verdicts, settled
from serving.settings import Settings


def sample_files(settings: Settings) -> tuple[Path, Path]:
    """Return the files of what left and of what stayed."""
    return settings.samples / "left.sqlite", settings.samples / "stayed.sqlite"


def verdict_file(settings: Settings) -> Path:
    """Return the file of the verdicts."""
    return settings.samples / "verdicts.sqlite"


def all_samples(settings: Settings) -> list[Counted]:
    """Return every stratum of both populations."""
    return [counted for file in sample_files(settings) for counted in read_samples(file)]


def all_verdicts(settings: Settings) -> dict[str, Verdict]:
    """Return the verdict that counts for each sample."""
    return settled(read_verdicts(verdict_file(settings)))


def forget(settings: Settings) -> int:
    """Empty the samples and remove the verdicts; return how many samples there were.

    The running door and ingress keep their files open, so these are emptied, not removed.
    """
    verdict_file(settings).unlink(missing_ok=True)
    return sum(empty(file) for file in sample_files(settings))
