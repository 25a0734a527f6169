from hypothesis import given
from hypothesis import strategies as st

from router.contract import Accepted, AttemptEnded, AttemptStarted, EvidenceEntry, EvidenceEvent, Finished
from router.evidence import fold

TRACE = "ab" * 16
ACCEPTED = Accepted(
    org="local",
    user=None,
    channel="api",
    requested_model="auto",
    request_sha256="0" * 64,
    message_count=1,
    character_count=5,
)
STARTED = AttemptStarted(attempt=1, lane="private", model="m", on="start")
ENDED = AttemptEnded(attempt=1, lane="private", model="m", ended="stop", seconds=1.0)
FINISHED = Finished(status=200, ended="answered", seconds=1.5)


def entries(*events: EvidenceEvent, writer: str = "w", at: float = 10.0) -> list[EvidenceEntry]:
    return [
        EvidenceEntry(trace_id=TRACE, writer=writer, sequence=index, at=at + index, event=event)
        for index, event in enumerate(events)
    ]


def test_a_whole_request_folds_to_its_record() -> None:
    record = fold(entries(ACCEPTED, STARTED, ENDED, FINISHED))

    assert record is not None
    assert record.accepted == ACCEPTED
    assert record.attempts == (ENDED,)
    assert record.unfinished_attempts == ()
    assert record.finished == FINISHED
    assert (record.started_at, record.ended_at) == (10.0, 13.0)


def test_nothing_folds_to_nothing() -> None:
    assert fold([]) is None


def test_an_attempt_without_an_end_is_shown_as_unfinished() -> None:
    record = fold(entries(ACCEPTED, STARTED))

    assert record is not None
    assert record.unfinished_attempts == (STARTED,)
    assert record.ended_at is None


def test_a_clock_that_jumps_back_does_not_change_the_order_of_one_writer() -> None:
    late, early = entries(ACCEPTED, FINISHED)
    jumped = early.model_copy(update={"at": 1.0})

    record = fold([late, jumped])

    assert record is not None
    assert record.finished == FINISHED
    assert record.started_at == 10.0


@given(st.permutations(entries(ACCEPTED, STARTED, ENDED, FINISHED) + entries(STARTED, writer="v", at=20.0)))
def test_the_record_does_not_depend_on_the_order_of_reading(shuffled: list[EvidenceEntry]) -> None:
    assert fold(shuffled) == fold(sorted(shuffled, key=lambda entry: entry.at))
