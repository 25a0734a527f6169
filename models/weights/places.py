"""Which source does `--from` mean? `hub`, `https://mirror`, `s3://bucket/prefix` or a folder; and what a model is called there."""

from dataclasses import dataclass
from pathlib import Path

from models.errors import UnknownModelSource
from models.weights.source import Source


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from in the first place, as its spec says: `hub:ORG/REPOSITORY@REVISION`."""

    repository: str
    revision: str | None


def parse_origin(source: str) -> Origin | None:
    """Return the repository that a spec's `source` names; None where it names none (`pypi:...`, `local:...`)."""
    kind, _, rest = source.partition(":")
    if kind != "hub" or rest.count("/") != 1:
        return None
    repository, _, revision = rest.partition("@")
    return Origin(repository, revision or None)


def open_source(place: str, folder_name: str, origin: Origin | None) -> Source:
    """Return the source that `place` names. Raises `UnknownModelSource`. Each kind's client is imported where it is used."""
    if place == "hub" or place.startswith(("https://", "http://")):
        if origin is None:
            raise UnknownModelSource(
                f"{folder_name}: no repository of a hub is known for it; name it as ORG/REPOSITORY"
            )
        from models.weights.hub import HubSource

        return HubSource(origin.repository, origin.revision, None if place == "hub" else place)
    if place.startswith("s3://"):
        from models.weights.bucket import BucketSource

        return BucketSource(place, folder_name)
    if "://" in place:
        raise UnknownModelSource(f"{place}: sources are `hub`, https://MIRROR, s3://BUCKET/PREFIX or a folder")
    from models.weights.local import FolderSource

    return FolderSource(Path(place), folder_name)
