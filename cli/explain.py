"""`lane explain`: what happened to that request? From the running cluster, or straight from the evidence file when it is down."""

import re
from typing import Annotated

import orjson
import typer

from cli.errors import NotRunning
from router.contract import Evidence
from router.errors import BadRequest, UnknownTrace
from router.explain import explain as explain_record
from router.explain import explain_line
from serving.settings import Settings, read_settings
from serving.status import as_running


def explain(
    trace: Annotated[
        str, typer.Argument(help="The trace ID: 32 hex digits, in every answer's x-lane-trace-id header.")
    ],
    key: Annotated[
        str | None,
        typer.Option(help="Which minted key to use, as `org/key id`; by default the first.", show_default=False),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Compact JSON on stdout: the sentences and the whole record.")
    ] = False,
) -> None:
    """Tell one request's story: asked, found, which rule, where it went and where not, what left the building."""
    trace_id = trace.strip().lower()
    if not re.fullmatch("[0-9a-f]{32}", trace_id):
        raise BadRequest("TRACE: a trace ID has 32 hex digits", "TRACE")
    record = _read(as_running(read_settings()), trace_id, key)
    if json:
        body = {
            "trace_id": trace_id,
            "line": explain_line(record),
            "sentences": explain_record(record).split("\n"),
            "evidence": record.model_dump(mode="json", by_alias=True),
        }
        print(orjson.dumps(body).decode())
    else:
        print(explain_record(record))


def _read(settings: Settings, trace_id: str, key: str | None) -> Evidence:
    """Ask the cluster; when it is down, read the file, which whoever owns it may."""
    from cli.client import Cluster

    try:
        with Cluster(settings, key) as cluster:
            return cluster.evidence(trace_id)
    except NotRunning:
        from serving.store import read_evidence

        record = read_evidence(settings.evidence_file, trace_id)
        if record is None:
            raise UnknownTrace(f"no evidence under trace {trace_id} in {settings.evidence_file}") from None
        return record
