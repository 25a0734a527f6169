"""How long do scan and topic take? `python -m benchmarks.judging` prints p50 and p99 in microseconds by length of text."""

import time
from collections.abc import Callable

from router.classify import DEFAULT_HEADS, Heads
from router.scan import scan_text, warm

_PROSE = (
    "Our team compared twelve vendors for the new warehouse and wrote down what each of them charges per pallet. Could you read the "
    "notes below, point out what is missing, and suggest three questions for the next call? We meet again at the end of the month. "
)
_PERSONAL = (
    "Patient Ada Moore, born 1 May 1980, was diagnosed with lupus; call +44 20 7946 0958 or write to ada@example.com. Her card is "
    "4111 1111 1111 1111 and her IBAN GB82 WEST 1234 5698 7654 32. "
)
LENGTHS = (100, 2_000, 100_000)


def main() -> None:
    """Time both on prose and on text full of personal data."""
    warm()
    heads = Heads.load(DEFAULT_HEADS)
    print(f"{'text':<10}{'characters':>11}{'':<9}{'p50 us':>9}{'p99 us':>9}")
    for name, source in (("prose", _PROSE), ("personal", _PERSONAL)):
        for length in LENGTHS:
            text = (source * (length // len(source) + 1))[:length]
            rounds = max(20, min(2_000, 4_000_000 // length))
            for step, work in (
                ("scan", lambda text=text: scan_text(text)),
                ("topic", lambda text=text: heads.topic(text)),
            ):
                median, late = _timed(work, rounds)
                print(f"{name:<10}{length:>11}  {step:<7}{median:>9.0f}{late:>9.0f}")


def _timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return p50 and p99 in microseconds, after one round unmeasured."""
    work()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    taken.sort()
    return taken[rounds // 2] * 1e6, taken[int(rounds * 0.99)] * 1e6


if __name__ == "__main__":
    main()
