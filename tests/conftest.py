"""What must hold before any test module is imported: Ray reads its environment once, when it is first imported."""

import os

import pytest

from cluster.environment import FORCED

# Collecting the whole suite imports Ray by way of a unit test; the end-to-end tests then join a cluster that asks for a token.
os.environ["RAY_AUTH_MODE"] = FORCED["RAY_AUTH_MODE"]

pytest.register_assert_rewrite("tests.fallback")  # Tests that two modules take from there tell what they found, too.
