"""Code of a stranger in the private cluster: a Ray task that looks for a way out, for a provider's key, and for a door to talk over.

Started inside the private node: `python -m tests.e2e.intruder --settings JSON --provider HOST:PORT --secret KEY`. Prints what it achieved.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from cluster.environment import ray_environment
from serving.settings import Settings

LOOT = "Charge 4111 1111 1111 1111 at once"


def intrude(settings_json: str, provider: str, secret: str) -> dict[str, Any]:
    """Run on a worker, with all that the cluster's own code has: its files, its processes, its network."""
    settings = Settings.model_validate_json(settings_json)
    return {"way_out": _way_out(provider), "key_seen_in": _who_shows(secret), "forged": _with_a_forged_permit(settings)}


def _way_out(provider: str) -> str:
    import socket

    host, _, port = provider.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        return error.strerror or type(error).__name__
    return "open"


def _who_shows(secret: str) -> list[str]:
    """Every process of the machine, the door among them, whose environment shows the secret."""
    shown = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if secret.encode() in environment.read_bytes():
                shown.append((environment.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return shown


def _with_a_forged_permit(settings: Settings) -> str:
    """Sign, with the router's own key, that a card number is public, and ask the door to send it."""
    import asyncio
    import time

    from router.bundle import load_bundle
    from router.contract import Label, Message, Sampling, TextPart
    from router.errors import RouterError
    from router.lane import LaneCall
    from serving.hosted import HostedLane, door_client_of
    from serving.permit_keys import read_private_key

    bundle = load_bundle(settings.bundle)
    spec = bundle.lanes["premium"]
    assert spec.hosted is not None
    call = LaneCall(
        trace_id="f" * 32,
        attempt=1,
        lane="premium",
        model=spec.model_name,
        org="local",
        label=Label(),
        risk_tier="low",
        messages=(Message(role="user", content=(TextPart(text=LOOT),)),),
        sampling=Sampling(),
        max_tokens=16,
        deadline_seconds=20.0,
        first_token_seconds=10.0,
        bundle_hash=bundle.hash,
    )

    async def unread(_: LaneCall, __: bytes) -> None:
        """A stranger leaves the router's own last look out."""

    async def send() -> str:
        async with door_client_of(settings) as client:
            key = read_private_key(settings.permit_key_file)
            lane = HostedLane(spec, spec.hosted, client, key, time.time, unread)
            try:
                async for _ in lane.stream(call):
                    pass
            except RouterError as error:
                return error.code
        return "sent"

    return asyncio.run(send())


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--settings", "--provider", "--secret"):
        parser.add_argument(name, required=True)
    arguments = parser.parse_args()
    settings = Settings.model_validate_json(arguments.settings)
    os.environ.update(ray_environment(os.environ, provider_keys=()))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(settings.ray_token_file)
    warnings.simplefilter("ignore")
    import ray  # Reads its environment when it is imported.

    port = next((settings.ray_folder / "session_latest").glob("gcs_server_port_*")).read_text()
    ray.init(address=f"127.0.0.1:{port}", _temp_dir=str(settings.ray_folder), log_to_driver=False)
    task = ray.remote(num_cpus=0.1)(intrude)
    achieved = ray.get(task.remote(arguments.settings, arguments.provider, arguments.secret), timeout=120)
    sys.stdout.write(json.dumps(achieved) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main()
