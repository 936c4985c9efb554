"""A data set's folder: conversations (a file an author), snippets, annotations, ``dataset.toml``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convqa.dataset.records import LabelledConversation, Snippet, TwiceLabelled
from convqa.errors import InputError, UsageError
from convqa.labels import AgentLabel, CustomerLabel, Language

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Record = TypeVar("Record", LabelledConversation, Snippet, TwiceLabelled)
AtLeast = Annotated[int, Field(ge=0)]


class Targets(BaseModel):
    """How much of what the set wants to hold; ``convqa data check`` says where it falls short."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversations: AtLeast = 0
    conversations_in_each_language: AtLeast = 0
    one_way: AtLeast = 0
    ignored_request: AtLeast = 0
    labels: dict[AgentLabel | CustomerLabel, AtLeast] = {}


class Description(BaseModel):
    """``dataset.toml``: name, version, which author (file) is in which split, which languages there are, targets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    languages: tuple[Language, ...] = ()
    splits: dict[Split, tuple[str, ...]] = {}
    targets: Targets = Targets()

    def split_of(self, author: str) -> Split | None:
        """Return the split that an author's file is in; None where it is in none."""
        return next((split for split, authors in self.splits.items() if author in authors), None)


@dataclass(frozen=True, slots=True)
class Authored:
    """A conversation, its author (the file's name without suffix), split and place (``file, line 3``)."""

    conversation: LabelledConversation
    author: str
    split: Split | None
    place: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as read. ``errors`` are the lines that could not be read; everything else is there."""

    folder: Path
    description: Description | None
    conversations: tuple[Authored, ...]
    snippets: tuple[tuple[Snippet, str], ...]
    twice: tuple[tuple[TwiceLabelled, str], ...]
    errors: tuple[InputError, ...]


def read_dataset(folder: Path) -> Dataset:
    """Read a data set's folder.

    ``conversations/*.jsonl`` must be there (or the folder itself holds the ``*.jsonl``); ``snippets/*.jsonl``,
    ``annotations/second.jsonl`` and ``dataset.toml`` may be.

    Raises
    ------
    UsageError
        The folder is missing or holds no conversations.
    InputError
        ``dataset.toml`` does not follow its rules. Broken lines do not raise: they are listed in ``errors``.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; give the folder of a data set, like data")
    inside = folder / "conversations"
    files = sorted((inside if inside.is_dir() else folder).glob("*.jsonl"))
    if not files:
        raise UsageError(
            f"{folder}: holds neither conversations/*.jsonl nor *.jsonl; give a data set's folder, a file an author"
        )
    description = read_description(folder / "dataset.toml")
    errors: list[InputError] = []
    conversations = []
    for path in files:
        split = description.split_of(path.stem) if description else None
        for record, place in _records(path, folder, LabelledConversation, errors):
            conversations.append(Authored(record, path.stem, split, place))
    snippets = [
        found
        for path in sorted((folder / "snippets").glob("*.jsonl"))
        for found in _records(path, folder, Snippet, errors)
    ]
    second = folder / "annotations" / "second.jsonl"
    twice = list(_records(second, folder, TwiceLabelled, errors)) if second.is_file() else []
    return Dataset(folder, description, tuple(conversations), tuple(snippets), tuple(twice), tuple(errors))


def read_description(path: Path) -> Description | None:
    """Read ``dataset.toml``; None where there is none. Raises InputError where it does not follow its rules."""
    if not path.is_file():
        return None
    try:
        return Description.model_validate(tomllib.loads(path.read_text("utf-8-sig")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(str(path), "", f"is not TOML: {error}") from None
    except ValidationError as error:
        raise InputError(str(path), "", _said(error)) from None


def _records(path: Path, folder: Path, kind: type[Record], errors: list[InputError]) -> Iterator[tuple[Record, str]]:
    name = str(path.relative_to(folder))
    try:
        # Not splitlines: a line separator inside a text is JSON, and no end of the record.
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        errors.append(InputError(name, "", f"is not UTF-8 (byte {error.start}); save it as UTF-8"))
        return
    if not any(line.strip() for line in lines):
        errors.append(InputError(name, "", "holds nothing; a file without conversations should not be there"))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield kind.model_validate_json(line), f"{name}, line {number}"
        except ValidationError as error:
            errors.append(InputError(name, f"line {number}{_id_of(line)}", _said(error)))


def _id_of(line: str) -> str:
    try:
        return f" ({json.loads(line)['id']})"
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def _said(error: ValidationError) -> str:
    """The first fault in a person's words, and how many more there are."""
    faults = error.errors(include_url=False)
    first = faults[0]
    where = ", ".join(_place(first["loc"]))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    if first["type"] == "extra_forbidden":
        said = "is not a known field"
    elif first["type"] == "missing":
        said = "is missing"
    else:
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] not in ("value_error", "json_invalid") and not isinstance(first["input"], dict | list):
            said += f", met {first['input']!r}"
    return f"{where}: {said}{more}" if where else f"{said}{more}"


def _place(steps: tuple[int | str, ...]) -> Iterator[str]:
    """Name the way to a value as people count: ('turns', 0, 'role') is 'turn 1', 'role'."""
    named = [step for step in steps if isinstance(step, int) or step.isidentifier()]
    for at, step in enumerate(named):
        if isinstance(step, int):
            yield f"{str(named[at - 1]).removesuffix('s')} {step + 1}" if at else str(step + 1)
        elif at + 1 == len(named) or not isinstance(named[at + 1], int):
            yield step
