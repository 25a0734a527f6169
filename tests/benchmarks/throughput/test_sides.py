"""A profile is one replica's."""

import pytest

from benchmarks.throughput.sides import held_to_one_replica
from models.spec import ModelSpec, Scaling
from router.errors import BadRequest

SPEC = ModelSpec(name="m", family="llama", source="", folder="m", licence="", context_tokens=512)


def test_several_replicas_are_refused_with_what_to_do() -> None:
    fixed = SPEC.model_copy(update={"replicas": 2})
    scaled = SPEC.model_copy(update={"scaling": Scaling(min_replicas=1, max_replicas=3)})

    for spec, count in ((fixed, 2), (scaled, 3)):
        with pytest.raises(BadRequest, match=rf"{count} replicas.*`replicas: 1`.*--bare"):
            held_to_one_replica(spec)
    held_to_one_replica(SPEC)
