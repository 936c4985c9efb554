from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from convqa.readers.times import has_time_of_day, moment, on_the_clock, seconds, since_first


@pytest.mark.parametrize(
    ("told", "expected"),
    [(3, 3.0), (1.5, 1.5), ("12.5", 12.5), ("12,5", 12.5), ("00:12", 12.0), ("01:02:03.5", 3723.5), ("1:02,25", 62.25),
     (timedelta(minutes=1), 60.0), ("90:00", 5400.0)],
)  # fmt: skip
def test_seconds(told: object, expected: float) -> None:
    assert seconds(told) == expected


@pytest.mark.parametrize("told", ["", "soon", "-3", -3, float("nan"), float("inf"), True, None, "1:2:3:4", "12.5.3"])
def test_seconds_of_no_time(told: object) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        seconds(told)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2026-11-02T09:14:00", datetime(2026, 11, 2, 9, 14)),
        ("2026-11-02 09:14:00.250", datetime(2026, 11, 2, 9, 14, 0, 250_000)),
        ("2026-11-02T09:14:00Z", datetime(2026, 11, 2, 9, 14, tzinfo=UTC)),
        ("02.11.2026 09:14", datetime(2026, 11, 2, 9, 14)),
        ("02-11-2026 kl. 09.14.30", datetime(2026, 11, 2, 9, 14, 30)),
        ("2/11/26, 09:14", datetime(2026, 11, 2, 9, 14)),
        ("11/25/2026 9:14:05 PM", datetime(2026, 11, 25, 21, 14, 5)),
        ("12/11/2026 12:01 AM", datetime(2026, 11, 12, 0, 1)),
        (1_793_610_840, datetime.fromtimestamp(1_793_610_840, UTC)),
        ("1793610840123", datetime.fromtimestamp(1_793_610_840.123, UTC)),
        (date(2026, 11, 2), datetime(2026, 11, 2)),
    ],
)
def test_moment(told: object, expected: datetime) -> None:
    assert moment(told) == expected


@pytest.mark.parametrize("told", ["12", 12.5, "09:14", "00:00:12", "31.02.2026", "hei", None, "", "20261102"])
def test_moment_of_no_date(told: object) -> None:
    assert moment(told) is None


def test_dates_alone_have_no_time_of_day() -> None:
    assert not has_time_of_day("2026-11-02")
    assert not has_time_of_day(date(2026, 11, 2))
    assert has_time_of_day("1793610840")
    assert has_time_of_day("2026-11-02 09:14")


def test_since_first_counts_from_the_earliest_over_zones() -> None:
    moments = [datetime(2026, 1, 1, 9, 0, 5), None, datetime.fromisoformat("2026-01-01T10:00:00+01:00")]
    assert since_first(moments) == [5.0, None, 0.0]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["00:12", "01:10", "1:00:00"], [12.0, 70.0, 3600.0]),
        (["09:14", None, "09:16"], [0.0, None, 120.0]),
        (["04:50", "06:10"], [290.0, 370.0]),
        (["23:59:50", "00:00:10"], [0.0, 20.0]),
        ([], []),
        ([None], [None]),
    ],
)
def test_on_the_clock(told: list[str | None], expected: list[float | None]) -> None:
    assert on_the_clock(told) == expected
