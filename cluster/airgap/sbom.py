"""What is in the archive, for those who must know: a software bill of materials in CycloneDX 1.6, models among it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from cluster.airgap.wheels import Wheel
from models.manifest import weights_hash

_NAMESPACE: Final = uuid.UUID(
    "6ba7b811-9dad-11d1-80b4-00c04fd430c8"
)  # RFC 9562's, for URLs: the same archive, the same number.


@dataclass(frozen=True, slots=True)
class CarriedModel:
    """A model's or an adapter's folder: where it lies here, and below the models folder there."""

    name: str
    folder: str
    path: Path
    source: str
    licence: str


def bill_of_materials(wheels: Sequence[Wheel], models: Sequence[CarriedModel], version: str, now: datetime) -> str:
    """Return the bill as JSON: each wheel with its hash and licence, each model with the hash of its manifest."""
    components = [_wheel(wheel) for wheel in wheels] + [_model(model) for model in models]
    whole = Component(name="private-lane", version=version, type=ComponentType.APPLICATION, bom_ref="private-lane")
    names = " ".join(f"{one.name}@{one.version}" for one in components)
    bom = Bom(
        components=components,
        metadata=BomMetaData(component=whole, timestamp=now),
        serial_number=uuid.uuid5(_NAMESPACE, names),
    )
    bom.register_dependency(whole, components)
    return str(JsonV1Dot6(bom).output_as_string(indent=2))


def _wheel(wheel: Wheel) -> Component:
    purl = PackageURL("pypi", name=wheel.name, version=wheel.version)
    return Component(
        name=wheel.name,
        version=wheel.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        licenses=[LicenseFactory().make_from_string(wheel.licence)] if wheel.licence else (),
    )


def _model(model: CarriedModel) -> Component:
    digest = weights_hash(model.path)
    return Component(
        name=model.name,
        version=digest[:12],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{model.name}",
        description=f"weights, tokenizer and templates from {model.source}; the hash is its manifest's",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        licenses=[LicenseFactory().make_from_string(model.licence)],
    )
