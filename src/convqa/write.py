"""Records to a file: JSON Lines, CSV or Parquet, by the file's suffix.

>>> with open_writer("scores.parquet") as writer:  # doctest: +SKIP
...     for record in records:
...         writer.write(record)

A file appears under its name only when everything has been written: until the ``with`` block ends
well, the rows lie in a temporary file beside it, which an exception removes. Memory does not grow
with the number of records.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError
from pydantic_core import to_json as plain_to_json

from convqa.errors import UsageError
from convqa.report import Record

SCHEMA_VERSION: Final = "1"
"""Version of the Parquet layout, kept in the file's metadata under ``convqa.schema``."""

_EVIDENCE: Final = pa.struct(
    [
        pa.field("turn", pa.int32(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("quote", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("cost", pa.float64(), nullable=False),
    ]
)
_CRITERION: Final = pa.struct(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("applicable", pa.bool_(), nullable=False),
        pa.field("points", pa.float64()),
        pa.field("why", pa.string(), nullable=False),
        pa.field("evidence", pa.list_(_EVIDENCE), nullable=False),
    ]
)
_CAP: Final = pa.struct(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("at_most", pa.float64(), nullable=False),
        pa.field("turn", pa.int32()),
        pa.field("quote", pa.string()),
    ]
)
_FLAG: Final = pa.struct(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("turn", pa.int32()),
        pa.field("quote", pa.string()),
        pa.field("severity", pa.string(), nullable=False),
    ]
)
_UTTERANCE: Final = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("labels", pa.map_(pa.string(), pa.float64()), nullable=False),
    ]
)
_TURN: Final = pa.struct(
    [
        pa.field("role", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("start", pa.float64()),
        pa.field("end", pa.float64()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("phase", pa.string()),
        pa.field("utterances", pa.list_(_UTTERANCE), nullable=False),
    ]
)
_ROLES: Final = pa.struct(
    [
        pa.field("origin", pa.string(), nullable=False),
        pa.field("agents", pa.list_(pa.string()), nullable=False),
        pa.field("probability", pa.float64()),
        pa.field("confident", pa.bool_(), nullable=False),
    ]
)
_PROVENANCE: Final = pa.struct(
    [
        pa.field("convqa", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("model_sha256", pa.string(), nullable=False),
        pa.field("rubric", pa.string(), nullable=False),
        pa.field("rubric_sha256", pa.string(), nullable=False),
    ]
)
RECORD_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("language", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("band", pa.string()),
        pa.field("criteria", pa.list_(_CRITERION), nullable=False),
        pa.field("caps", pa.list_(_CAP), nullable=False),
        pa.field("flags", pa.list_(_FLAG), nullable=False),
        pa.field("signals", pa.map_(pa.string(), pa.float64()), nullable=False),
        pa.field("turns", pa.list_(_TURN), nullable=False),
        pa.field("roles", _ROLES),
        pa.field("language_probability", pa.float64()),
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("provenance", _PROVENANCE, nullable=False),
    ],
    metadata={"convqa.schema": SCHEMA_VERSION},
)
"""The Parquet layout of a record: the record's own fields in its own order, ``metadata`` as JSON text."""

_ROWS_A_GROUP: Final = 1_000
_CHARACTERS_A_GROUP: Final = 4_000_000

_RECORD: Final = TypeAdapter(Record)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Writer(Protocol):
    """Takes records one by one, inside a ``with`` block whose good end puts the file in place."""

    def write(self, record: Record) -> None:
        """Write one record."""

    def __enter__(self) -> Self:
        """Open the temporary file."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Move the file into place, or remove it where an exception ended the block."""


def open_writer(
    path: Path | str | None, *, criteria: Sequence[str] | None = None, signals: Sequence[str] | None = None
) -> Writer:
    """A writer for ``path``: ``.jsonl`` or ``.json`` (JSON Lines), ``.csv``, ``.parquet``.

    None or ``-`` writes JSON Lines to standard output. ``criteria`` and ``signals`` name the columns
    of a CSV; where either is None, its columns are those of the first scored record.

    Raises UsageError for any other suffix and for a folder that is missing or cannot be written.
    """
    if path is None or str(path) == "-":
        return _StandardOutput()
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".jsonl", ".json", ".csv", ".parquet"):
        met = f"'{target.suffix}' is not a format that records are written in" if suffix else "the name has no suffix"
        raise UsageError(f"{target}: {met}; use .jsonl (or .json) for JSON Lines, .csv or .parquet")
    check_target(target)
    if suffix == ".csv":
        return _Csv(target, criteria, signals)
    return _Parquet(target) if suffix == ".parquet" else _JsonLines(target)


def to_json(record: Record) -> bytes:
    """The record as one line of UTF-8 JSON without the newline; the same record gives the same bytes.

    Half a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD, so that offsets stay true.
    Raises ValueError where ``metadata`` holds something that JSON has no form for.
    """
    try:
        return _RECORD.dump_json(record)
    except PydanticSerializationError:
        whole = _RECORD.validate_python(_without_surrogates(_RECORD.dump_python(record)))
        return _RECORD.dump_json(whole)


def from_json(line: bytes | str) -> Record:
    """The record that ``to_json`` wrote. Raises ValueError, naming the fields, for anything else."""
    return _RECORD.validate_json(line)


def check_target(path: Path) -> None:
    """Raise UsageError unless a file can be put at ``path``; cheap, so that it is known before the work."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"{path}: the folder {folder} does not exist; create it first or write elsewhere")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is not an ordinary file; give the name of a file")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{path}: the folder {folder} cannot be written to; write elsewhere")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes ``path``'s place when the block ends well, and vanishes when it does not.

    Raises UsageError where no file can be put there.
    """
    check_target(path)
    target = path.resolve()
    part = target.with_name(f".convqa-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


class _StandardOutput:
    """JSON Lines on standard output; each record can be read by the next program at once."""

    def write(self, record: Record) -> None:
        sys.stdout.buffer.write(to_json(record) + b"\n")
        sys.stdout.buffer.flush()

    def __enter__(self) -> Self:
        sys.stdout.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _InPlace:
    """What the writers of files share: set up in ``open``, the last rows in ``finish``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.open(stack.enter_context(replacing(self._path)), stack)
            stack.push(lambda kind, error, trace: self.finish() if kind is None else None)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def open(self, file: BinaryIO, stack: ExitStack) -> None:
        """Make ready to write to ``file``; what must be closed before it goes on ``stack``."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write what is held back; called only where no exception ended the block."""


class _JsonLines(_InPlace):
    def open(self, file: BinaryIO, stack: ExitStack) -> None:
        self._file = file

    def write(self, record: Record) -> None:
        self._file.write(to_json(record) + b"\n")


class _Csv(_InPlace):
    """One row a conversation. Rows that come before the columns are known wait in a spooled file."""

    def __init__(self, path: Path, criteria: Sequence[str] | None, signals: Sequence[str] | None) -> None:
        super().__init__(path)
        self._criteria = criteria
        self._signals = signals

    def open(self, file: BinaryIO, stack: ExitStack) -> None:
        # The byte order mark tells Excel that the file is UTF-8.
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        stack.callback(self._text.detach)
        waiting = tempfile.SpooledTemporaryFile(1_000_000, "w+", encoding="utf-8")  # noqa: SIM115 (the stack closes it)
        self._waiting = stack.enter_context(waiting)
        self._table: csv.DictWriter[str] | None = None
        self._seen_criteria: dict[str, None] = {}
        self._seen_signals: dict[str, None] = {}
        if self._criteria is not None and self._signals is not None:
            self._start(self._criteria, self._signals)

    def write(self, record: Record) -> None:
        if self._table is None and record.status == "scored":
            self._start(
                [criterion.name for criterion in record.criteria] if self._criteria is None else self._criteria,
                list(record.signals) if self._signals is None else self._signals,
            )
        row = _csv_row(record)
        if self._table is None:
            self._seen_criteria |= dict.fromkeys(criterion.name for criterion in record.criteria)
            self._seen_signals |= dict.fromkeys(record.signals)
            self._waiting.write(json.dumps(row) + "\n")
        else:
            self._table.writerow(row)

    def finish(self) -> None:
        if self._table is None:
            self._start(
                list(self._seen_criteria) if self._criteria is None else self._criteria,
                list(self._seen_signals) if self._signals is None else self._signals,
            )
        self._text.flush()

    def _start(self, criteria: Sequence[str], signals: Sequence[str]) -> None:
        columns = [
            *_FIRST_COLUMNS,
            *(f"criterion_{name}" for name in criteria),
            "caps",
            "flags",
            *(f"signal_{name}" for name in signals),
            *_LAST_COLUMNS,
        ]
        # DictWriter raises ValueError for a row with a column that is not among these.
        self._table = csv.DictWriter(self._text, columns, restval="")
        self._table.writeheader()
        self._waiting.seek(0)
        self._table.writerows(json.loads(line) for line in self._waiting)


_FIRST_COLUMNS: Final = ("id", "source", "language", "channel", "status", "reason", "score", "band")
_LAST_COLUMNS: Final = (
    "agents",
    "roles_confident",
    "convqa",
    "model",
    "model_sha256",
    "rubric",
    "rubric_sha256",
)


def _csv_row(record: Record) -> dict[str, str]:
    provenance = record.provenance
    cells: dict[str, str | float | bool | None] = {
        "id": record.id,
        "source": record.source,
        "language": record.language,
        "channel": record.channel,
        "status": record.status,
        "reason": record.reason,
        "score": record.score,
        "band": record.band,
        **{f"criterion_{c.name}": c.points if c.applicable else None for c in record.criteria},
        "caps": ";".join(cap.name for cap in record.caps),
        "flags": ";".join(flag.name for flag in record.flags),
        **{f"signal_{name}": value for name, value in record.signals.items()},
        "agents": ";".join(record.roles.agents) if record.roles else None,
        "roles_confident": record.roles.confident if record.roles else None,
        "convqa": provenance.convqa,
        "model": provenance.model,
        "model_sha256": provenance.model_sha256,
        "rubric": provenance.rubric,
        "rubric_sha256": provenance.rubric_sha256,
    }
    return {name: _cell(value) for name, value in cells.items()}


def _cell(value: str | float | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return _harmless(value) if isinstance(value, str) else str(value)


# What a spreadsheet takes for the beginning of a formula: at the start of the cell or, where it splits
# cells at semicolons or tabs, after one of those (OWASP, "CSV Injection"); the wide forms count too.
_FORMULA: Final = re.compile(
    r"^(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])|(?<=[;\t\r\n])(?=[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
_NEGATIVE_NUMBER: Final = re.compile(r"-\d+(\.\d+)?")


def _harmless(text: str) -> str:
    return text if _NEGATIVE_NUMBER.fullmatch(text) else _FORMULA.sub("'", text)


class _Parquet(_InPlace):
    def open(self, file: BinaryIO, stack: ExitStack) -> None:
        self._table = stack.enter_context(pq.ParquetWriter(file, RECORD_SCHEMA, compression="zstd"))
        self._rows: list[dict[str, Any]] = []
        self._characters = 0

    def write(self, record: Record) -> None:
        self._rows.append(_parquet_row(record))
        self._characters += sum(len(turn.text) for turn in record.turns)
        if len(self._rows) >= _ROWS_A_GROUP or self._characters >= _CHARACTERS_A_GROUP:
            self._write_group()

    def finish(self) -> None:
        if self._rows:
            self._write_group()

    def _write_group(self) -> None:
        try:
            group = pa.Table.from_pylist(self._rows, RECORD_SCHEMA)
        except UnicodeEncodeError:
            group = pa.Table.from_pylist(_without_surrogates(self._rows), RECORD_SCHEMA)
        self._table.write_table(group)
        self._rows, self._characters = [], 0


def _parquet_row(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = _RECORD.dump_python(record)
    row["metadata"] = plain_to_json(_without_surrogates(row["metadata"]), inf_nan_mode="null").decode()
    row["signals"] = list(row["signals"].items())
    for turn in row["turns"]:
        for utterance in turn["utterances"]:
            utterance["labels"] = list(utterance["labels"].items())
    return row


def _without_surrogates(value: Any) -> Any:
    """The same value with U+FFFD for each half of a surrogate pair, in keys too."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(_without_surrogates(item) for item in value)
        case _:
            return value
