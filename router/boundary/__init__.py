"""May this go there? One Cedar question for each way out and each way to rest: deny by default; a rule that can't be evaluated denies."""

from router.boundary.boundary import BOUNDARY_ERROR, DEFAULT_DENY, Boundary, Verdict
from router.boundary.house import HOME, House
from router.boundary.policies import PolicyText, read_policies
from router.boundary.question import (
    ApproveQuestion,
    Question,
    RetrieveQuestion,
    SendQuestion,
    StoreQuestion,
    ToolQuestion,
)
from router.boundary.vocabulary import UNKNOWN, Vocabulary, enumerated

__all__ = [
    "BOUNDARY_ERROR",
    "DEFAULT_DENY",
    "HOME",
    "UNKNOWN",
    "ApproveQuestion",
    "Boundary",
    "House",
    "PolicyText",
    "Question",
    "RetrieveQuestion",
    "SendQuestion",
    "StoreQuestion",
    "ToolQuestion",
    "Verdict",
    "Vocabulary",
    "enumerated",
    "read_policies",
]
