"""Which of the caller's decoding settings does a lane take? What its bundle leaves out is not sent; what it has no word for is refused."""

from typing import Any, Final

from router.bundle.files import Dialect
from router.contract import Sampling
from router.errors import UnsupportedField

_CHANCE: Final = frozenset({"temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"})
"""What weighs one word against another. A protocol may have no word for it, and an answer is as good; callers build on all else."""


def sampling_asked(sampling: Sampling, dialect: Dialect) -> dict[str, Any]:
    """Return what was asked for, by OpenAI's names, without what the dialect leaves out. Raises `UnsupportedField`."""
    if sampling.ignore_eos:
        raise UnsupportedField(
            "ignore_eos: a hosted lane can't go on past the answer's end; pin a private lane", "ignore_eos"
        )
    asked: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logprobs": sampling.logprobs or None,
        "top_logprobs": sampling.top_logprobs or None,
    }
    left_out = {*dialect.leaves_out, *(["top_logprobs"] if "logprobs" in dialect.leaves_out else [])}
    return {name: value for name, value in asked.items() if value is not None and name not in left_out}


def refuse_others(asked: dict[str, Any], taken: frozenset[str], protocol: str) -> dict[str, Any]:
    """Return the settings that a protocol has words for.

    Those that only weigh words are left out where it has none. Raises `UnsupportedField` for every other one.
    """
    for name in asked:
        if name not in taken | _CHANCE:
            raise UnsupportedField(f"{name}: {protocol} has no word for it; pin another lane, or leave it out", name)
    return {name: value for name, value in asked.items() if name in taken}
