"""From a directory to a bundle in force, or to everything that is wrong with it. All of it is checked before any of it is used."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from router.boundary import Boundary
from router.bundle.bundle import Bundle, CompiledTierRule, compile_route
from router.bundle.check import Checked, check_source
from router.bundle.demands import demands_of
from router.bundle.finding import BundleFinding, as_text
from router.bundle.references import contract_name
from router.bundle.served import served_models
from router.bundle.source import Source, read_source
from router.bundle.variables import TopicHeads
from router.classify.heads import DEFAULT_HEADS, Heads
from router.errors import BundleInvalid

_MOST_SOUND: Final = 8
_SOUND: Final[dict[str, Checked]] = {}
"""What was made of bundles that held, by their hash, under the classifier that ships."""


@lru_cache(maxsize=1)
def default_heads() -> TopicHeads:
    """Return the classifier that ships with the router, read once."""
    return Heads.load(DEFAULT_HEADS)


def check_bundle(root: Path, heads: TopicHeads | None = None) -> tuple[BundleFinding, ...]:
    """Return everything that is wrong with the bundle in this folder, by file and line; nothing when it may be used."""
    source = read_source(root)
    check_source(source, heads or default_heads())
    return tuple(sorted({*source.findings, *source.unkept}))


def load_bundle(root: Path, heads: TopicHeads | None = None) -> Bundle:
    """Return the bundle in this folder. Raises `BundleInvalid`, whose message lists every finding with file, line and mend."""
    draft = load_draft(root, heads)
    if draft.unkept:
        raise _invalid(root, draft.unkept)
    return draft.bundle


@dataclass(frozen=True, slots=True)
class Draft:
    """A bundle to look at. With `unkept` findings it must not be run: `load_bundle` refuses it."""

    bundle: Bundle
    source: Source
    unkept: tuple[BundleFinding, ...]


def load_draft(root: Path, heads: TopicHeads | None = None) -> Draft:
    """Return the bundle in this folder even if its boundary breaks its promises, to be asked why. Raises `BundleInvalid` for the rest."""
    source = read_source(root)
    used = heads or default_heads()
    checked = _checked(source, used)
    if source.findings or checked.boundary is None:
        raise _invalid(root, (*source.findings, *source.unkept))
    bundle = _assemble(root, source, checked, checked.boundary, used)
    return Draft(bundle, source, tuple(sorted(set(source.unkept))))


def _checked(source: Source, heads: TopicHeads) -> Checked:
    """Run every check; the same bytes are not proved twice in one process."""
    ours = heads is default_heads()
    if ours and source.hash in _SOUND:
        return _SOUND[source.hash]
    checked = check_source(source, heads)
    if ours and not source.findings and not source.unkept:
        if len(_SOUND) >= _MOST_SOUND:
            _SOUND.clear()
        _SOUND[source.hash] = checked
    return checked


def _invalid(root: Path, findings: Iterable[BundleFinding]) -> BundleInvalid:
    return BundleInvalid(f"the bundle {root} does not check:\n{as_text(sorted(set(findings)))}")


def bundle_hash(root: Path) -> str:
    """Return the one name of this version: SHA-256 over sorted relative paths and bytes, dotfiles aside."""
    return read_source(root).hash


def _assemble(root: Path, source: Source, checked: Checked, boundary: Boundary, heads: TopicHeads) -> Bundle:
    assert source.models is not None
    assert source.lanes is not None
    assert source.ladders is not None
    assert source.tiers is not None
    assert source.routes is not None
    assert source.tenants is not None
    found = checked.conditions
    ladders = {ladder.name: ladder for ladder in source.ladders.ladders}
    profiles = {profile.tier: profile for profile in source.tiers.profiles}
    return Bundle(
        root=root,
        hash=source.hash,
        models=served_models(source.models.models, source.lanes.lanes),
        lanes={lane.name: lane for lane in source.lanes.lanes},
        ladders=ladders,
        tiers=source.tiers,
        tier_rules=tuple(
            CompiledTierRule(spec, rule) for spec, rule in zip(source.tiers.rules, found.tier_rules, strict=True)
        ),
        profiles=profiles,
        routes=tuple(
            compile_route(spec, rule, ladders, profiles, clarify)
            for spec, rule, clarify in zip(source.routes.routes, found.routes, found.clarify, strict=True)
        ),
        asked=found.variables,
        tenants={tenant.org: tenant for tenant in source.tenants.tenants},
        tools={tool.name: tool for tool in source.tools.values()},
        contracts={contract_name(file): text for file, text in source.contracts.items()},
        checks={check.spec.id: check for check in found.checks},
        demands=demands_of(source.tiers.profiles, source.tiers.topics),
        egress=source.lanes.egress,
        boundary=boundary,
        heads=heads,
        answer_rules={contract_name(file): rules for file, rules in source.answer_rules.items()},
        indexes={index.name: index for index in source.lanes.indexes},
    )
