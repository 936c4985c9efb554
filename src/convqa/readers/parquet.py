"""Parquet: a conversation a row with nested ``turns``, or a turn a row as in CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from convqa.conversation import Conversation, Unreadable
from convqa.errors import InputError
from convqa.readers import columns
from convqa.readers.format import Format, Options
from convqa.readers.jsonl import conversation_of
from convqa.readers.source import Source

_BATCH_ROWS: Final = 256


def _recognise(source: Source) -> bool:
    return source.head().startswith(b"PAR1")


def _read(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    try:
        with pq.ParquetFile(source.path) as file:
            if "turns" in file.schema_arrow.names:
                yield from _nested(file, source)
            else:
                yield from _flat(file, source, options)
    except pa.ArrowException as error:
        raise InputError(source.name, "", f"is not a whole Parquet file: {str(error).splitlines()[0]}") from None


def _nested(file: Any, source: Source) -> Iterator[Conversation | Unreadable]:
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS):
        for row in batch.to_pylist():
            number += 1
            yield conversation_of(_without_none(row), source, f"row {number}", f"{source.stem}-{number}")


def _without_none(row: dict[str, Any]) -> dict[str, Any]:
    # A column that this row has no value for is not this conversation's metadata.
    return {name: value for name, value in row.items() if value is not None}


def _flat(file: Any, source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    header = list(file.schema_arrow.names)

    def rows() -> Iterator[tuple[int, columns.Row]]:
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield number, row

    yield from columns.conversations(source, header, rows, options.columns)


FORMAT: Final = Format("parquet", "Parquet, nested turns or a row a turn", (".parquet", ".pq"), _recognise, _read)
