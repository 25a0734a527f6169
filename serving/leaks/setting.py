"""Is anything sampled here, how much, and sealed for whom? One file in the home; without it nothing is kept. The default is off."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from router.contract import Frozen
from router.errors import BadRequest
from serving.change.durable import write_durably


class LeakSample(Frozen):
    """`leak-sample.json`.

    `public_key` is the judge's (X25519, hex). Kept are `per_stratum` of each stratum (a stratum lasts a week), sealed, for `days`;
    `samples_at_most` in one file, none above `bytes_at_most`.
    """

    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    per_stratum: int = Field(default=20, ge=1, le=10_000)
    days: int = Field(default=28, ge=1, le=366)
    samples_at_most: int = Field(default=5_000, ge=1)
    bytes_at_most: int = Field(default=256 * 1024, ge=1024)


def read_setting(file: Path) -> LeakSample | None:
    """Return the setting; None where there is no file: nothing is sampled. Raises `BadRequest` for a file that says something else."""
    try:
        return LeakSample.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise BadRequest(
            f"{file} can't be used; `lane leak-rate on` writes it, `lane leak-rate off` removes it"
        ) from error


def write_setting(file: Path, setting: LeakSample) -> None:
    """Turn sampling on, from the next request on."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(file, setting.model_dump_json(indent=2).encode() + b"\n", 0o644)
