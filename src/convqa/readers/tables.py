"""CSV and other delimited text, a row a turn."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Final

from convqa.conversation import Conversation, Unreadable
from convqa.errors import InputError
from convqa.readers import columns
from convqa.readers.format import Format, Options
from convqa.readers.source import Source

_DELIMITERS: Final = ",;\t|"
_SEP_LINE: Final = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_CELL_LIMIT: Final = 1 << 28  # characters; the standard library's own is 131,072


def delimiter_of(sample: str) -> str:
    """Return the delimiter that splits the sample's header, and then its rows most alike."""
    if match := _SEP_LINE.match(sample):
        return match[1]
    return max(_DELIMITERS, key=lambda delimiter: _fit(sample, delimiter))


def _fit(sample: str, delimiter: str) -> tuple[bool, float, int]:
    widths = [len(row) for row in _sample_rows(sample, delimiter) if row]
    if not widths or widths[0] == 1:
        return False, 0.0, 0
    return True, Counter(widths)[widths[0]] / len(widths), widths[0]


def _sample_rows(sample: str, delimiter: str) -> list[list[str]]:
    csv.field_size_limit(_CELL_LIMIT)
    # The last row of a sample is cut somewhere.
    return list(csv.reader(io.StringIO(sample[:65536], newline=""), delimiter=delimiter))[:50][:-1] or [
        next(csv.reader([sample.partition("\n")[0]], delimiter=delimiter), [])
    ]


def _recognise(source: Source) -> bool:
    """A first line that names the text and a speaker or role, in two cells or more."""
    sample = source.head_text()
    sample = _SEP_LINE.sub("", sample, count=1) if _SEP_LINE.match(sample) else sample
    header = _sample_rows(sample, delimiter_of(source.head_text()))[0]
    found = columns.guess(header)
    return "text" in found and ("role" in found or "speaker" in found)


def _read(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    delimiter = delimiter_of(source.head_text())
    at, header = next(((number, row) for number, row in _rows(source, delimiter) if any(row)), (0, []))

    def below() -> Iterator[tuple[int, columns.Row]]:
        return ((number, row) for number, row in _rows(source, delimiter) if number > at)

    yield from columns.conversations(source, header, below, options.columns)


def _rows(source: Source, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Give the rows with their numbers as a spreadsheet has them: the header is row 1."""
    csv.field_size_limit(_CELL_LIMIT)
    with source.open_text(newline="") as stream:
        if not _SEP_LINE.match(stream.readline()):
            stream.seek(0)
        lines: list[str] = []
        number = 0
        try:
            for number, row in enumerate(csv.reader(_noted(stream, lines), delimiter=delimiter), 1):
                if len(lines) > 1:
                    _check_closed(source, number, lines, delimiter)
                lines.clear()
                yield number, row
        except csv.Error as error:
            raise InputError(source.name, f"row {number + 1}", f"{error}; the rest is not read") from None


def _noted(stream: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in stream:
        lines.append(line)
        yield line


def _check_closed(source: Source, number: int, lines: list[str], delimiter: str) -> None:
    # Without strict, csv takes all to the end of the file for one cell; with it, it refuses "so" called cells.
    try:
        deque(csv.reader(lines, delimiter=delimiter, strict=True), maxlen=0)
    except csv.Error as error:
        if "end of data" in str(error):
            reason = "a quotation mark is opened here and never closed; the rest of the file is not read"
            raise InputError(source.name, f"row {number}", reason) from None


FORMAT: Final = Format("csv", "CSV or TSV table, a row a turn", (".csv", ".tsv", ".tab"), _recognise, _read)
