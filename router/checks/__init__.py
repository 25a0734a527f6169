"""May this answer go out? Every answer is held against what its tier and topics forbid, in passing and at its end."""

from router.checks.answer import check_answer
from router.checks.result import Amended, CheckResult, Passed, Withheld
from router.checks.watch import AnswerWatch

__all__ = ["Amended", "AnswerWatch", "CheckResult", "Passed", "Withheld", "check_answer"]
