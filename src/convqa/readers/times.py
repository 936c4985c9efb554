"""Times as sources write them, in seconds from a conversation's start."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

_CLOCK: Final = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2}(?:[.,]\d+)?)")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
_DAY_FIRST: Final = re.compile(
    r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})"
    r"(?:[T,\s]+(?:kl\.?\s*)?(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([ap]m)?)?",
    re.IGNORECASE,
)
_DATE_ALONE: Final = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}")
_LATE: Final = 5 * 3600
"""No conversation's own clock begins as late as this: such a time is the time of day."""


def seconds(value: object) -> float:
    """Return seconds for a number, ``"12,5"``, ``"00:12"`` or ``"1:02:03.5"``; ValueError for all else."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        found = float(value.strip().replace(",", "."))
    elif isinstance(value, str) and (match := _CLOCK.fullmatch(value.strip())):
        hours, minutes, rest = match.groups()
        found = round(int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", ".")), 6)
    else:
        raise ValueError(f"{value!r} is not a time")
    if not 0 <= found < 1e12:
        raise ValueError(f"{value!r} is not a time in seconds from the start")
    return found


def moment(value: object) -> datetime | None:
    """Return the date and time that ``value`` tells; None where it is no date.

    ISO 8601; day first with dots, slashes or hyphens (``02.11.2026 09:14``, also 11/25/2026, which can
    only be the American way round); a number of seconds or milliseconds since 1970 as of 2001.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, (int, float)):
        return _since_1970(float(value))
    if not isinstance(value, str):
        return None
    value = value.strip()
    if _NUMBER.fullmatch(value):
        return _since_1970(float(value.replace(",", ".")))
    try:
        if match := _DAY_FIRST.fullmatch(value):
            return _day_first(match)
        return datetime.fromisoformat(value) if len(value) >= 8 and not value.isdecimal() else None
    except ValueError:
        return None


def _since_1970(number: float) -> datetime | None:
    if not 1e9 <= number < 1e13:
        return None
    return datetime.fromtimestamp(number / 1000 if number >= 1e11 else number, UTC)


def _day_first(match: re.Match[str]) -> datetime:
    day, month, year, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if month > 12 >= day:
        day, month = month, day
    if match[7]:
        hour = hour % 12 + (12 if match[7].lower() == "pm" else 0)
    return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second)


def has_time_of_day(value: object) -> bool:
    """Tell whether a moment was written with a time, or is a date alone."""
    if isinstance(value, str):
        return not _DATE_ALONE.fullmatch(value.strip())
    return isinstance(value, datetime) or not isinstance(value, date)


def since_first(moments: Sequence[datetime | None]) -> list[float | None]:
    """Return each moment in seconds from the earliest; those without a zone are taken as UTC."""
    known = [m and (m if m.tzinfo else m.replace(tzinfo=UTC)) for m in moments]
    first = min((m for m in known if m), default=None)
    return [round((m - first).total_seconds(), 3) if m and first else None for m in known]


def on_the_clock(times: Sequence[str | None]) -> list[float | None]:
    """Return ``mm:ss``, ``hh:mm`` or ``hh:mm:ss`` in seconds from the start; ValueError for all else.

    Times of day (the first at 05:00 or later) count from the first and may pass midnight; earlier ones
    are times from the start as they stand. Two parts are minutes and seconds, unless all times have two,
    none is past 23 and the first is 05 or later: then they are hours and minutes.
    """
    found = [None if time is None else seconds(time) for time in times]
    known = [time for time in found if time is not None]
    if known and all(t is None or t.count(":") == 1 for t in times) and known[0] >= 300 and max(known) < 24 * 60:
        found = [None if time is None else time * 60 for time in found]
        known = [time * 60 for time in known]
    if not known or known[0] < _LATE:
        return found
    return [None if time is None else round((time - known[0]) % 86400, 3) for time in found]
