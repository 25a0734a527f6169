"""How is a decision carried out? The ladder is tried rung by rung; each attempt is bounded in time and recorded.

Before the first piece of content, going to the next rung is invisible to the caller. After it, a failure is the caller's to see:
what was sent can't be recalled. An answer that is held (not streamed) may therefore still change lanes at its end.
"""

from router.execute.call import contract_schema, seed_of
from router.execute.context import with_context
from router.execute.health import LaneHealth
from router.execute.run import Batch, Climbed, Run
from router.execute.tools import with_result, with_tools
from router.execute.turns import execute

__all__ = [
    "Batch",
    "Climbed",
    "LaneHealth",
    "Run",
    "contract_schema",
    "execute",
    "seed_of",
    "with_context",
    "with_result",
    "with_tools",
]
