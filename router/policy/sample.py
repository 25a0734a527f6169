"""Which traffic is a comparison tried on where nobody gives a log? A shipped sample, and the bundles' own cases.

Every request of the sample is asked for each tenant of either bundle: a policy often changes for one of them alone.
"""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import orjson

from router.bundle import Bundle
from router.bundle.source import Source


def sample_lines(bundles: tuple[Bundle, ...], sources: tuple[Source, ...]) -> Iterator[dict[str, Any]]:
    """Yield lines of `lane decide`: the sample for each tenant, then the requests of the bundles' cases."""
    sample = files("router.policy").joinpath("sample.jsonl").read_bytes().splitlines()
    for org in dict.fromkeys(org for bundle in bundles for org in bundle.tenants):
        for number, line in enumerate(sample, start=1):
            yield {"id": f"{org} {number}", "org": org, **orjson.loads(line)}
    seen: list[dict[str, Any]] = []
    for source in sources:
        for cases in source.cases.values():
            for case in cases.cases:
                if case.request not in seen:
                    seen.append(case.request)
                    yield {"id": case.name, **case.request}
