"""What must hold before any test module is imported."""

import os

import pytest
from hypothesis import settings

from cluster.environment import FORCED

# Ray reads its environment once, and a unit test may import it; the end-to-end tests then join a cluster that asks for a token.
os.environ["RAY_AUTH_MODE"] = FORCED["RAY_AUTH_MODE"]

pytest.register_assert_rewrite("tests.fallback")  # Tests that two modules take from there tell what they found, too.

# A shared machine's pauses are no finding: laws are about answers, not about time.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")
