"""`lane tools call`: what does a tool answer when it is called by hand?"""

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.tools.chosen import BundleOption, Json, Name, loaded, say

if TYPE_CHECKING:
    from router.bundle import Bundle


def call(
    name: Name,
    arguments: Annotated[str, typer.Option(help="A JSON object.")] = "{}",
    org: Annotated[str, typer.Option(help="The tenant in whose name it is called.")] = "local",
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Call a tool by hand; one that changes anything is refused.

    Every check is made but a person's. Its source runs here, with this environment; a call over HTTP goes by the running system's door,
    like any other.
    """
    import asyncio

    result = asyncio.run(_called(loaded(bundle), name, arguments, org))
    said = {
        "tool": name,
        "ended": result.ended,
        "result": orjson.loads(result.json) if result.json is not None else result.text,
        "label": result.label.model_dump(),
        "concern": result.concern,
        "arguments_sha256": result.arguments_sha256,
        "seconds": round(result.seconds, 3),
    }
    say(said, result.text, json=json)


async def _called(bundle: "Bundle", name: str, arguments: str, org: str) -> Any:
    import secrets
    import time

    from router.contract import Label
    from router.tools import ToolUse
    from serving.hosted import door_client_of
    from serving.permit_keys import read_private_key
    from serving.settings import named_variables, read_settings
    from serving.tools.box import GuardedToolBox, NoWayOut, Runner
    from serving.tools.by_door import ByDoor
    from serving.tools.sources import Sources, variables_of

    class Clock:
        def monotonic(self) -> float:
            return time.monotonic()

    settings = read_settings(bundle.root)
    settings.tool_state.mkdir(mode=0o700, parents=True, exist_ok=True)
    outward: Runner = NoWayOut()
    if settings.permit_key_file.exists():
        key = read_private_key(settings.permit_key_file)
        outward = ByDoor(door_client_of(settings), key, bundle.hash, time.time)
    variables = named_variables(variables_of(bundle.tools))
    sources = Sources(bundle.root, bundle.tools, variables, settings.tool_state, outward)
    tenant = bundle.tenants.get(org)
    use = ToolUse(
        trace_id=secrets.token_hex(16),
        attempt=1,
        tool=name,
        arguments_json=arguments,
        org=org,
        label=tenant.label if tenant is not None else Label(),
        risk_tier="low",
    )
    try:
        return await GuardedToolBox(bundle, sources, Clock()).call(use)
    finally:
        await sources.close()
