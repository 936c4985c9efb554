"""A file or standard input: its name, its bytes, and its text whatever the encoding."""

from __future__ import annotations

import codecs
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from pydantic_core import from_json

from convqa.errors import InputError

HEAD_BYTES: Final = 1 << 20
_BOMS: Final = (  # UTF-32's first: UTF-16's is its beginning
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CP1252: Final = [bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256)]


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are no UTF-8 as Windows-1252; its five undefined bytes as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(_CP1252[byte] for byte in error.object[error.start : error.end]), error.end


codecs.register_error("convqa-cp1252", _as_cp1252)


class Source:
    """Something that can be read more than once.

    ``name`` is what a user sees in messages and records, ``stem`` what ids are made of where the
    content has none. Text is decoded by byte order mark; without one as UTF-16 where NUL bytes say
    so, else as UTF-8, where bytes that are not UTF-8 are taken as Windows-1252 (so an old export,
    or one with a few old lines, keeps its letters). A file whose beginning is mostly not UTF-8 is
    Windows-1252 throughout.
    """

    def __init__(self, path: Path, name: str | None = None, stem: str | None = None) -> None:
        """Name the file at ``path``; nothing is opened yet."""
        self.path = path
        self.name = _printable(name if name is not None else path.as_posix())
        self.stem = _printable(stem if stem is not None else path.stem)
        self.suffix = path.suffix.lower()
        self._stream: TextIO | None = None

    def open(self) -> BinaryIO:
        """Open the bytes from the beginning."""
        return self.path.open("rb")

    @cached_property
    def _head(self) -> bytes:
        with self.open() as stream:
            return stream.read(HEAD_BYTES)

    def head(self) -> bytes:
        """Return the first MiB: enough to recognise a format by."""
        return self._head

    @cached_property
    def encoding(self) -> str:
        """Name of the codec that the text is decoded with."""
        return _encoding(self.head())

    def open_text(self, newline: str | None = None) -> TextIO:
        """Open the decoded text from the beginning; ``newline`` as for the built-in ``open``."""
        stream = self.path.open(encoding=self.encoding, errors=self._errors, newline=newline)
        self._stream = stream
        return stream

    @property
    def size(self) -> int:
        """Bytes in the file; 0 where there is none any more."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @property
    def position(self) -> int:
        """Bytes that the text opened last has taken from the file; all of them once it is closed."""
        if self._stream is None or self._stream.closed:
            return self.size
        return self._stream.buffer.tell()

    @property
    def _errors(self) -> str:
        return "replace" if self.encoding.startswith(("utf-16", "utf-32")) else "convqa-cp1252"

    def head_text(self) -> str:
        """Return the head decoded, without leading white space."""
        return self.head().decode(self.encoding, self._errors).lstrip()

    def text(self) -> str:
        """Return the whole text, for formats that are one document."""
        with self.open_text() as stream:
            return stream.read()

    @cached_property
    def peek(self) -> Any:
        """The first JSON value, as far as the head holds it; None where the text is not JSON."""
        text = self.head_text()
        if not text.startswith(("{", "[")):
            return None
        try:
            return from_json(text, allow_partial=True)
        except ValueError:
            return None

    def document(self) -> Any:
        """Return the whole text as one JSON value; InputError with the line where it is not JSON."""
        text = self.text()
        try:
            return json_value(text)
        except ValueError as error:
            reason, _, place = str(error).partition(" at ")
            raise InputError(self.name, place, f"is not valid JSON: {reason}") from None


def json_value(text: str) -> Any:
    """Return the JSON value in ``text``; half a surrogate pair, as cut texts have it, is let through.

    Raises ValueError with line and column where the text is not JSON.
    """
    try:
        return from_json(text)
    except ValueError as error:
        if "hex escape" not in str(error) and "surrogate" not in str(error):
            raise
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise error from None


def _encoding(head: bytes) -> str:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    start = head[:4096]
    if start[1::2].count(0) * 3 > len(start) // 2:
        return "utf-16-le"
    if start[::2].count(0) * 3 > len(start) // 2:
        return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        broken = head.decode("utf-8", "replace").count("�")
        sound = sum(character > "\x7f" for character in head.decode("utf-8", "ignore"))
        return "cp1252" if broken > sound else "utf-8"
    return "utf-8"


def _printable(name: str) -> str:
    # A file name need not be valid text, the records that name it must be.
    return name.encode("utf-8", "backslashreplace").decode()


@contextmanager
def spooled(stream: BinaryIO, name: str, stem: str) -> Iterator[Source]:
    """Copy what can be read only once to a temporary file, and give it as a Source."""
    with tempfile.TemporaryDirectory(prefix="convqa-") as folder:
        path = Path(folder, "input")
        with path.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
        yield Source(path, name, stem)


@contextmanager
def standard_input() -> Iterator[Source]:
    """Give standard input as a Source named ``standard input``."""
    with spooled(sys.stdin.buffer, "standard input", "stdin") as source:
        yield source
