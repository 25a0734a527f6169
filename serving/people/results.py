"""How does what came of a waiting request look? Like any other answer or error: the status address hands it on as it is."""

import time

from router.lane import Stop, Usage
from serving.api.render import WholeAnswer, error_body
from serving.people.parked import Result


def failed(error: Exception, trace_id: str) -> Result:
    """Return an error as what came of a request."""
    status, _, body = error_body(error, trace_id)
    return Result(status=status, body=body.decode())


def spoken(trace_id: str, model: str, text: str, *, refused: bool) -> Result:
    """Return a person's words as an answer of the usual shape: `text`, or why there is none."""
    answer = WholeAnswer(trace_id, int(time.time()), model, usage=Usage(0, 0), stop=Stop("stop"))
    (answer.refusal if refused else answer.text).append(text)
    return Result(status=200, body=answer.body().decode())
