"""What does a policy do, before it is shipped? Proved, tried on its own cases, compared with another version, and told rule by rule."""

from router.policy.widen import Widening, widens

__all__ = ["Widening", "widens"]
