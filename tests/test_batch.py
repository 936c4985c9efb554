"""What a run came to, added up by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convqa.batch import Summary, deliver
from convqa.errors import UsageError
from convqa.report import Flag, Provenance, Record, Roles


def record(score: float | None = None, band: str | None = None, *flags: str, **fields: object) -> Record:
    return Record(
        **{
            "id": "c",
            "source": None,
            "language": "nb",
            "channel": None,
            "status": "skipped" if score is None else "scored",
            "reason": None,
            "score": score,
            "band": band,
            "criteria": (),
            "caps": (),
            "flags": tuple(Flag(name, None, None, "warning") for name in flags),
            "signals": {},
            "turns": (),
            "roles": None,
            "language_probability": None,
            "metadata": {},
            "provenance": Provenance("0", "m", "", "r", ""),
            **fields,
        }  # type: ignore[arg-type]
    )


def summary(*records: Record) -> Summary:
    found = Summary()
    for each in records:
        found.add(each)
    return found


def test_nothing_met() -> None:
    found = summary()
    assert (found.total, found.complete, found.scores.mean, found.scores.median) == (0, True, None, None)


@pytest.mark.parametrize(
    ("scores", "mean", "median"),
    [
        ([50.0], 50.0, 50.0),
        ([0.0], 0.0, 0.0),
        ([90.0, 10.0], 50.0, 50.0),  # between the two in the middle
        ([33.3, 33.4, 0.0, 100.0], 41.675, 33.35),
        ([99.9, 0.1, 20.0], 40.0, 20.0),
        ([100.0, 100.0, 30.0, 20.0, 20.0], 54.0, 30.0),
        ([33.3, 33.3, 33.4], 100 / 3, 33.3),
    ],
)
def test_mean_and_median(scores: list[float], mean: float, median: float) -> None:
    found = summary(*[record(score, "poor") for score in scores])
    assert found.scores.mean == pytest.approx(mean)
    assert found.scores.median == median


def test_counts_by_status_band_and_flag() -> None:
    unsure = Roles("inferred", ("a",), 0.6, False)
    found = summary(
        record(90.0, "good"),
        record(20.0, "poor", "hostility", "hostility", "ignored_request"),  # twice in one counts once
        record(10.0, "poor", "hostility", roles=unsure),
        record(status="failed"),
        record(roles=Roles("overruled", ("a",), None, True)),
    )
    assert found.status == {"scored": 3, "failed": 1, "skipped": 1}
    assert found.bands == {"poor": 2, "good": 1}
    assert found.flags == {"hostility": 2, "ignored_request": 1}
    assert (found.total, found.complete, found.unsure_roles, found.overruled) == (5, False, 1, 1)
    assert found.scores.mean == pytest.approx(40.0)


def test_deliver_hands_every_record_to_every_target_and_then_to_watch(tmp_path: Path) -> None:
    seen: list[str] = []
    found = deliver(
        (record(50.0, "poor", id=str(n)) for n in range(3)),
        out=tmp_path / "r.jsonl",
        page=tmp_path / "r.html",
        watch=lambda each: seen.append(each.id),
    )
    assert found.total == 3 and seen == ["0", "1", "2"]
    assert [json.loads(line)["id"] for line in (tmp_path / "r.jsonl").read_text().splitlines()] == seen
    assert (tmp_path / "r.html").stat().st_size > 0


def test_deliver_leaves_nothing_half_written(tmp_path: Path) -> None:
    def broken() -> object:
        yield record(50.0, "poor")
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        deliver(broken(), out=tmp_path / "r.csv", page=tmp_path / "r.html")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError):
        deliver([], out=tmp_path / "r.xlsx")


def test_deliver_writes_records_and_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    deliver([record(50.0, "poor")], out=tmp_path / "r.jsonl", page=tmp_path / "r.html")
    assert capfd.readouterr().out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.jsonl"]
