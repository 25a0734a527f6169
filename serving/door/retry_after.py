"""How long did the provider ask us to wait? Reads `retry-after-ms` and `Retry-After` (seconds or a date); nonsense is no answer."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import isfinite


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait, never negative, at `now` in Unix seconds; None where nothing readable was said."""
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / per_second
        except ValueError:
            continue
        if isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
