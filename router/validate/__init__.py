"""Does an answer meet its output contract: whole, while it streams, and in the arguments of the tools it calls?"""

from router.exact.schema import check_schema
from router.validate.answer import ANY_OBJECT, AnswerContract, Validity, validate_answer
from router.validate.asked import contract_of
from router.validate.prefix import Breach, PrefixChecker
from router.validate.repair import repair_messages
from router.validate.tools import ToolCallChecker, validate_arguments

__all__ = [
    "ANY_OBJECT",
    "AnswerContract",
    "Breach",
    "PrefixChecker",
    "ToolCallChecker",
    "Validity",
    "check_schema",
    "contract_of",
    "repair_messages",
    "validate_answer",
    "validate_arguments",
]
