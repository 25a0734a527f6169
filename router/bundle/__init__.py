"""The bundle: one versioned directory that says what may happen, checked as a whole, known by its hash."""

from router.bundle.bundle import Bundle, CompiledRoute, CompiledTierRule, compile_route
from router.bundle.finding import BundleFinding
from router.bundle.load import check_bundle, load_bundle

__all__ = [
    "Bundle",
    "BundleFinding",
    "CompiledRoute",
    "CompiledTierRule",
    "check_bundle",
    "compile_route",
    "load_bundle",
]
