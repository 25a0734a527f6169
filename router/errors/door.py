"""Why did the door not let a body out?"""

from router.errors.root import RouterError


class DoorRefused(RouterError):
    """The door would not let the body out. Never retried on another hosted lane as if it were an outage.

    `policies` holds the IDs that said so, where a policy did.
    """

    status = 403
    code = "egress_refused"

    def __init__(self, message: str, policies: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.policies = policies


class PermitOutdated(DoorRefused):
    """Another bundle came into force after the permit was given: the request is decided again under that one, and may ask once more."""

    code = "permit_outdated"
