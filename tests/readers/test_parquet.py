from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.readers import read


def test_nested_turns(tmp_path: Path) -> None:
    rows = [
        {
            "id": "a",
            "language": "da",
            "metadata": {"csat": 4.0},
            "turns": [{"role": "agent", "text": "Hej", "start": 0.5}],
        },
        {"id": None, "language": None, "metadata": None, "turns": [{"role": "bot", "text": "Hej", "start": None}]},
        {"id": "c", "language": "de", "metadata": None, "turns": []},
    ]
    path = tmp_path / "calls.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    first, bad, last = read(path)
    assert first == Conversation("a", (Turn("Hej", "agent", start=0.5),), "da", None, {"csat": 4.0}, path.as_posix())
    assert bad == Unreadable("calls-2", path.as_posix(), "row 2", "turns[0].role is 'bot'; use agent or customer")
    assert (last.id, last.language, last.turns) == ("c", "de", ())


def test_flat_rows_over_batches(tmp_path: Path) -> None:
    rows = [
        {"call_id": number % 300, "speaker": ("Kunde", "Agent")[number // 300 % 2], "text": f"n {number}",
         "timestamp": datetime(2026, 11, 2, 9, number // 60 % 60, number % 60)}
        for number in range(900)
    ]  # fmt: skip
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = list(read(path))
    assert [item.id for item in found] == [str(number) for number in range(300)]
    assert found[7].turns == (
        Turn("n 7", "customer", "Kunde", 0.0),
        Turn("n 307", "agent", "Agent", 300.0),
        Turn("n 607", "customer", "Kunde", 600.0),
    )
    assert found[7].metadata == {"started_at": "2026-11-02T09:00:07"}


def test_missing_values_of_pandas(tmp_path: Path) -> None:
    table = pa.table(
        {"dialog_id": [1.0, 1.0], "role": ["agent", "agent"], "text": ["Hei", None], "start": [float("nan"), 2.0]}
    )
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path)
    (found,) = read(path)
    assert (found.id, found.turns) == ("1", (Turn("Hei", "agent"), Turn("", "agent", start=2.0)))


def test_cut_file_is_unreadable(tmp_path: Path, bad: Callable[..., Unreadable]) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"role": ["agent"], "text": ["Hei"]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    assert bad(path).reason.startswith("is not a whole Parquet file: ")
