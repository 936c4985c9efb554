"""What a reader is: a name, how it knows its files, and how it reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from convqa.conversation import Conversation, Unreadable
from convqa.readers.source import Source


@dataclass(frozen=True, slots=True)
class Options:
    """What a user tells about the input.

    ``columns`` names the column of a table for a field (``{"role": "Avsender"}``); an empty name
    says that the table has no such column.
    """

    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file.

    ``recognise`` looks at the content (never at the name) and costs no more than a look at the head.
    ``read`` gives what it finds in order; it raises InputError where nothing more can be read, and
    gives Unreadable where one conversation is bad and the next may be good.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognise: Callable[[Source], bool]
    read: Callable[[Source, Options], Iterator[Conversation | Unreadable]]
