"""Files -> conversations, whatever their format.

``read`` is the one way in. A format is recognised by its content, and by its suffix where the content
leaves it open. What cannot be read comes back as Unreadable, between the conversations that can.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from convqa.conversation import Conversation, Unreadable
from convqa.errors import InputError, UsageError
from convqa.readers import amazon, captions, jsonl, parquet, tables, text, whisperx
from convqa.readers.columns import check_fields
from convqa.readers.format import Format, Options
from convqa.readers.source import Source, spooled, standard_input

__all__ = ["FORMATS", "Format", "Options", "Source", "formats", "read"]

FORMATS: Final = (
    parquet.FORMAT,
    captions.FORMAT,
    amazon.FORMAT,
    whisperx.FORMAT,
    jsonl.FORMAT,
    tables.FORMAT,
    text.FORMAT,
)
"""In the order of checking: from the surest mark to the most general shape."""

_SUFFIXES: Final = frozenset(suffix for format in FORMATS for suffix in format.suffixes)
_NOT_TRANSCRIPTS: Final = ("readme", "license", "licence", "copying", "changelog")
_MARKS: Final = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Office document; save it as CSV or text"),
    (b"%PDF", "a PDF; save it as text"),
    (b"RIFF", "audio or video; transcribe it first"),
    (b"ID3", "audio; transcribe it first"),
    (b"OggS", "audio; transcribe it first"),
    (b"fLaC", "audio; transcribe it first"),
)


def formats() -> tuple[Format, ...]:
    """Return the formats that can be read, in the order in which they are looked for."""
    return FORMATS


def read(
    *inputs: str | os.PathLike[str],
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Iterator[Conversation | Unreadable]:
    """Give the conversations of files, folders, globs (also ``**``) and ``-``, standard input.

    Folders are read with all that is in them, in the order of their names; hidden files and files of
    unknown suffix are passed over. ``format`` is a name from ``formats()`` and is believed without a look at
    the content; ``columns`` names a table's columns by field. ``watch`` is told, before each conversation,
    how many bytes of all inputs have been read, and of how many (0: not known, as with standard input); a table
    is read twice. UsageError, before anything is read,
    for a format or a field that does not exist; all that goes wrong later is an Unreadable.
    """
    forced = _by_name(format) if format else None
    options = Options(columns or {})
    check_fields(options.columns)
    return _read_inputs([os.fspath(name) for name in inputs], forced, options, watch)


def _read_inputs(
    names: list[str], forced: Format | None, options: Options, watch: Callable[[int, int], None] | None
) -> Iterator[Conversation | Unreadable]:
    progress = _Progress(watch, _size(names)) if watch else None
    for name in names:
        yield from _read_input(name, forced, options, progress)


@dataclass(slots=True)
class _Progress:
    """How many bytes of all inputs have been read."""

    watch: Callable[[int, int], None]
    total: int
    before: int = 0

    def over(self, source: Source, found: Iterator[Conversation | Unreadable]) -> Iterator[Conversation | Unreadable]:
        for item in found:
            self.watch(self.before + source.position, self.total)
            yield item
        self.before += source.size


def _size(names: list[str]) -> int:
    """Return the bytes of all inputs; 0 where one can only be read once, and its size is not known."""
    if any(
        name == "-" or (Path(name).exists() and not Path(name).is_dir() and not Path(name).is_file()) for name in names
    ):
        return 0
    total = 0
    for name in names:
        for opened in _sources(name):
            with opened as source:
                total += source.size
    return total


def _by_name(name: str) -> Format:
    for format in FORMATS:
        if name.casefold() == format.name:
            return format
    of_suffix = [format for format in FORMATS if f".{name.casefold()}" in format.suffixes]
    if len(of_suffix) == 1:
        return of_suffix[0]
    names = [format.name for format in FORMATS]
    near = get_close_matches(name.casefold(), names, 1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise UsageError(f"format '{name}' is not known.{hint} Formats: {', '.join(names)}")


def _read_input(
    name: str, forced: Format | None, options: Options, progress: _Progress | None
) -> Iterator[Conversation | Unreadable]:
    empty = True
    try:
        for opened in _sources(name):
            empty = False
            with opened as source:
                found = _read_source(source, forced, options)
                yield from progress.over(source, found) if progress else found
    except OSError as error:
        empty = False
        yield _unreadable(name, f"cannot be opened: {error.strerror or error}")
    if empty:
        yield _unreadable(name, _nothing(name))


def _unreadable(name: str, reason: str) -> Unreadable:
    source = Source(Path(name))
    return Unreadable(source.stem or source.name, source.name, "", reason)


def _nothing(name: str) -> str:
    if Path(name).is_dir():
        return f"this folder has no file with a suffix that can be read ({', '.join(sorted(_SUFFIXES))})"
    return "no file has this pattern" if glob.has_magic(name) else "there is no such file or folder"


def _sources(name: str) -> Iterator[AbstractContextManager[Source]]:
    path = Path(name)
    if name == "-":
        yield standard_input()
    elif path.is_dir():
        yield from map(nullcontext, _in_folder(path))
    elif path.is_file():
        yield nullcontext(Source(path))
    elif path.exists():  # a pipe, which can be read only once
        with path.open("rb") as stream:
            yield spooled(stream, name, path.stem)
    elif glob.has_magic(name):
        yield from map(nullcontext, _in_glob(name))


def _in_folder(folder: Path, base: Path | None = None) -> Iterator[Source]:
    """Files are named by their way from the folder, so that ``a/1.txt`` and ``b/1.txt`` get ids of their own."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root, name)
            if _is_transcript(path):
                yield Source(path, stem=path.relative_to(base or folder).with_suffix("").as_posix())


def _is_transcript(path: Path) -> bool:
    if path.name.startswith(".") or path.stem.casefold().startswith(_NOT_TRANSCRIPTS):
        return False
    return path.suffix.lower() in _SUFFIXES


def _in_glob(pattern: str) -> Iterator[Source]:
    any_suffix = not Path(pattern).suffix
    fixed = Path(*_before_magic(Path(pattern).parts))
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    for path in map(Path, found):
        if path.is_dir() and "**" not in pattern:
            yield from _in_folder(path, fixed)
        elif path.is_file() and (_is_transcript(path) or not any_suffix):
            yield Source(path, stem=path.relative_to(fixed).with_suffix("").as_posix())


def _before_magic(parts: tuple[str, ...]) -> list[str]:
    position = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return list(parts[:position])


def _read_source(source: Source, forced: Format | None, options: Options) -> Iterator[Conversation | Unreadable]:
    title = "a transcript"
    try:
        if forced:
            _check_readable(source)
        format = forced or _recognised(source, options)
        title = format.title
        found = False
        for item in format.read(source, options):
            found = True
            yield item
        if not found:
            raise InputError(source.name, "", f"holds no conversation (read as {title})")
    except InputError as error:
        yield Unreadable(_id_at(source, error.place), source.name, error.place, error.reason)
    except OSError as error:
        yield Unreadable(source.stem, source.name, "", f"cannot be opened: {error.strerror or error}")
    except Exception as error:  # a reader's own mistake must not lose the files after this one
        met = f"field {error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        yield Unreadable(source.stem, source.name, "", f"cannot be read as {title}; {met}")


def _id_at(source: Source, place: str) -> str:
    numbers = re.findall(r"\d+", place)
    return f"{source.stem}-{numbers[0]}" if numbers else source.stem


def _recognised(source: Source, options: Options) -> Format:
    """By content, with the suffix to decide between several; then by suffix; 'Name: words' lines come last."""
    _check_readable(source)
    of_suffix = [format for format in FORMATS if source.suffix in format.suffixes]
    found = [format for format in FORMATS if format is not text.FORMAT and format.recognise(source)]
    for format in (*(format for format in found if format in of_suffix), *found, *reversed(of_suffix)):
        return format
    if options.columns:
        return tables.FORMAT
    if text.FORMAT.recognise(source):
        return text.FORMAT
    beginning = source.head_text()[:40]
    raise InputError(source.name, "", f"is of no known format; it begins with {beginning!r}. See 'convqa formats'")


def _check_readable(source: Source) -> None:
    head = source.head()
    for mark, met in _MARKS:
        if head.startswith(mark):
            raise InputError(source.name, "", f"is {met}. See 'convqa formats'")
    if head.startswith(b"PAR1"):
        return
    text = source.head_text()[:4096]
    if not text:
        raise InputError(source.name, "", "is empty")
    if sum(not (character.isprintable() or character.isspace()) for character in text) > max(8, len(text) // 20):
        raise InputError(source.name, "", f"is binary (it begins with bytes {head[:8].hex(' ')}). See 'convqa formats'")
