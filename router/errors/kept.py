"""What that a request depends on is not there, or can't be trusted?"""

from router.errors.root import RouterError


class BundleInvalid(RouterError):
    """The bundle does not check; the message lists every finding with file, line and mend."""

    code = "bundle_invalid"


class NotProved(RouterError):
    """Not every question to the boundary could be looked at, or what was seen can't be trusted: nothing is claimed."""

    code = "not_proved"


class EvidenceUnavailable(RouterError):
    """Evidence could not be made durable, so no answer may be completed."""

    status = 503
    code = "evidence_unavailable"


class StateUnavailable(RouterError):
    """What must be remembered (a session's label) could not be, so the request does not go on."""

    status = 503
    code = "state_unavailable"


class ScanUnavailable(RouterError):
    """The deep scan did not answer (not up, dead, too slow, asked too much). Never taken for "nothing found": the text stays."""

    status = 503
    code = "scan_unavailable"


class RetrievalUnavailable(RouterError):
    """An index is not there, or does not answer in time."""

    status = 503
    code = "retrieval_unavailable"
