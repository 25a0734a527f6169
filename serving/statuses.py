"""What does Serve's controller say of its applications and their replicas now?

As `serve.status()` tells it, for a hundredth of its price: that one builds every deployment's settings anew, and pickles its request
router's class each time (13 ms of CPU a deployment). What is asked several times a second while a system starts must cost nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

RUNNING: Final = "RUNNING"
STARTING: Final = "STARTING"
DEPLOY_FAILED: Final = "DEPLOY_FAILED"


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """A deployment: its replicas, counted by their state, and what Serve says of it."""

    replicas: Mapping[str, int]
    message: str = ""

    @property
    def waits_for_a_place(self) -> bool:
        """Whether a replica has found no node for half a minute: then Serve says so, in these words (Ray 2.60, which is pinned)."""
        return "to be scheduled" in self.message and self.count(STARTING) > 0

    def count(self, *states: str) -> int:
        """Return how many replicas are in one of these states."""
        return sum(self.replicas.get(state, 0) for state in states)


@dataclass(frozen=True, slots=True)
class ApplicationState:
    """An application: its status in Serve's words (`RUNNING`, `DEPLOY_FAILED`, ...), what Serve says of it, its deployments."""

    status: str
    message: str
    deployments: Mapping[str, DeploymentState]

    @property
    def because(self) -> str:
        """What Serve says of its deployments, which is more than it says of the application."""
        said = [one.message.strip() for one in self.deployments.values() if one.message]
        return "\n".join(said) or self.message


def application_states() -> dict[str, ApplicationState]:
    """Return the applications of the cluster that this process belongs to; none where Serve has not started."""
    from ray.serve.context import _get_global_client  # What only reads these states needs no Ray.

    client = _get_global_client(raise_if_no_controller_running=False)
    return {} if client is None else read_details(client.get_serve_details())


def read_details(details: Mapping[str, Any]) -> dict[str, ApplicationState]:
    """Read what Serve's REST API gives for its whole instance (`ServeInstanceDetails`, as a dictionary)."""
    return {
        name: ApplicationState(
            status=_word(application["status"]),
            message=application["message"],
            deployments={
                deployment: DeploymentState(
                    replicas=dict(Counter(_word(replica["state"]) for replica in entry["replicas"])),
                    message=entry["message"],
                )
                for deployment, entry in application["deployments"].items()
            },
        )
        for name, application in details["applications"].items()
    }


def _word(state: Any) -> str:
    return str(getattr(state, "value", state))
