"""Which profile speaks for what is planned? One that was measured so; of these the newest that differs least in what else matters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.planner.fitted import FEWEST_POINTS, is_fittable
from cluster.profile import Profile
from models.errors import UnknownPrecision
from models.memory import KvFormat, Precision, read_kv_format, read_precision
from models.spec import EngineSpec

_LIMITS: Final = ("max_num_seqs", "max_num_batched_tokens")
_TOLD: Final = 3
"""Profiles that were passed over and are named: the newest."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is planned. Kind of GPU, precision and cache must be those that were measured; None: whatever they were.

    `own_precision`: that of the model's weights as the catalogue has them there, for profiles that do not say theirs. `engine` and
    `weights_hash`: settings and weights of the bundle, where it has the model.
    """

    gpu: str
    precision: Precision | None = None
    own_precision: Precision | None = None
    kv: KvFormat | None = None
    engine: EngineSpec | None = None
    weights_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile that counts, in what it differs from what is planned, and why others of the model do not count, the newest first."""

    profile: Profile | None
    differences: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


def choose_profile(profiles: Sequence[Profile], wanted: Wanted) -> Chosen:
    """Choose among a model's profiles, which come newest first. Those of other kinds of machine are not even passed over."""
    same_kind = [profile for profile in profiles if profile.machine.gpu == wanted.gpu]
    unfit = {id(profile): because for profile in same_kind if (because := _unfit(profile, wanted)) is not None}
    passed_over = tuple(f"{one.at}: {unfit[id(one)]}" for one in same_kind if id(one) in unfit)[:_TOLD]
    suited = [(profile, _differences(profile, wanted)) for profile in same_kind if id(profile) not in unfit]
    if not suited:
        return Chosen(None, passed_over=passed_over)
    profile, differences = min(suited, key=lambda one: len(one[1]))
    return Chosen(profile, differences, passed_over)


def _unfit(profile: Profile, wanted: Wanted) -> str | None:
    """Say why a profile can't speak for what is planned."""
    if not is_fittable(profile):
        return f"fewer than {FEWEST_POINTS} levels of concurrency"
    precision = _precision(profile) or wanted.own_precision
    if wanted.precision is not None and precision is not None and precision != wanted.precision:
        return f"{precision} weights, not {wanted.precision}"
    kv = _kv(profile)
    if wanted.kv is not None and kv != wanted.kv:
        return f"{kv or 'unknown'} cache, not {wanted.kv}"
    return None


def _differences(profile: Profile, wanted: Wanted) -> tuple[str, ...]:
    """Say in what else that decides its figures a profile differs from what is planned."""
    found = []
    if profile.side != "lane":
        found.append("the engine's own server, not the lane")
    if wanted.weights_hash is not None and profile.weights_hash != wanted.weights_hash:
        found.append("other weights")
    if wanted.engine is not None:
        for name in _LIMITS:
            now, then = getattr(wanted.engine, name), getattr(profile, name)
            if now is not None and now != then:
                found.append(f"{name} {then}, now {now}")
        if bool(profile.engine.get("enforce_eager", False)) != wanted.engine.enforce_eager:
            found.append(f"enforce_eager, now {str(wanted.engine.enforce_eager).lower()}")
    return tuple(found)


def _precision(profile: Profile) -> Precision | None:
    """Return the precision of the weights that were measured; None where the profile does not say."""
    said = profile.precision or profile.engine.get("quantization")
    try:
        return read_precision(said) if isinstance(said, str) else None
    except UnknownPrecision:
        return None


def _kv(profile: Profile) -> KvFormat | None:
    try:
        return read_kv_format(str(profile.engine.get("kv_cache_dtype", "auto")))
    except UnknownPrecision:
        return None
