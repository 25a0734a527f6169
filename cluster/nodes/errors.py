"""What can go wrong between machines, and what whoever runs them is told.

    RouterError
    ├── NodesInvalid          the inventory can't be worked with (`inventory.py`)
    ├── JoinRefused           a machine is not taken in
    │   ├── TokenMalformed    what was given is no join token
    │   ├── TokenUnknown      the head gave out no such token, or it was altered
    │   ├── TokenExpired      its time is over
    │   ├── TokenUsedUp       it has let in as many as it was made for
    │   ├── NodeUnknown       the inventory has no such node
    │   ├── NodeTaken         a node of that name or address has joined already
    │   ├── AddressesUnfit    it asks for a certificate over addresses that are not its own
    │   └── NodeUnfit         a check of the machine failed
    ├── NotTheHead            whoever answers does not show the authority that the token pins
    ├── HeadUnreachable       nobody answers at the head's address, or not as the head would
    ├── AlreadySetUp          files of a cluster are here
    ├── NotSetUp              no files of a cluster are here
    ├── UnitsNotStarted       the files are here, and systemd did not start the units
    └── RayRefused            Ray does not do what it was asked

The head's answer to a machine that may not join carries the code of one of them; `JoinRefused` is what `join` raises of it.
"""

from router.errors import RouterError


class JoinRefused(RouterError):
    """A machine is not taken in, and why."""

    status = 403
    code = "join_refused"


class TokenMalformed(JoinRefused):
    """The text is no join token."""

    status = 400
    code = "join_token_malformed"
    exit_code = 2


class TokenUnknown(JoinRefused):
    """No token of that name, or its secret is another: which of the two is not told."""

    status = 401
    code = "join_token_unknown"


class TokenExpired(JoinRefused):
    """The token's time is over."""

    status = 401
    code = "join_token_expired"


class TokenUsedUp(JoinRefused):
    """The token has let in as many nodes as it was made for."""

    status = 401
    code = "join_token_used_up"


class NodeUnknown(JoinRefused):
    """The inventory names no such node."""

    status = 404
    code = "node_unknown"


class NodeTaken(JoinRefused):
    """A node of that name, or one of its addresses, has joined already."""

    status = 409
    code = "node_taken"


class AddressesUnfit(JoinRefused):
    """A certificate is asked for over addresses that are not those of whoever asks."""

    code = "addresses_unfit"


class NodeUnfit(JoinRefused):
    """A check of the machine failed, so it gets no part in private work."""

    code = "node_unfit"


class NotTheHead(RouterError):
    """Whoever answers at the head's address does not show the authority that the join token pins."""

    code = "not_the_head"


class HeadUnreachable(RouterError):
    """The head does not answer."""

    code = "head_unreachable"


class AlreadySetUp(RouterError):
    """Files of a cluster are here already; they are never written over."""

    code = "already_set_up"


class NotSetUp(RouterError):
    """No cluster's files are on this machine."""

    code = "not_set_up"


class UnitsNotStarted(RouterError):
    """The machine is set up, and systemd did not start its units."""

    code = "units_not_started"


class RayRefused(RouterError):
    """Ray could not be asked, or refused."""

    code = "ray_refused"
