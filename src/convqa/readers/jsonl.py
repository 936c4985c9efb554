"""convqa's own shape: JSON Lines, a JSON array of conversations, or one JSON object."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date
from typing import Annotated, Any, Final, TypeGuard

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.errors import InputError
from convqa.readers.format import Format, Options
from convqa.readers.source import Source, json_value
from convqa.readers.words import channel_of, clean, language_of, role_of
from convqa.report import Record

_SHAPES: Final = "'convqa formats' lists the shapes that can be read"
_RECORD_FIELDS: Final = frozenset(field.name for field in fields(Record))
"""What a scored record has beside the conversation; not taken as metadata when a record is read again."""


def _nan_is_none(value: object) -> object:
    # pandas writes a missing number as NaN.
    return None if isinstance(value, float) and math.isnan(value) else value


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _nan_is_none(value)


_Seconds = Annotated[Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] | None, BeforeValidator(_nan_is_none)]
_Label = Annotated[str | None, BeforeValidator(_as_text)]


class _Turn(BaseModel):
    text: str
    role: _Label = None
    speaker: _Label = None
    start: _Seconds = None
    end: _Seconds = None


class _Conversation(BaseModel):
    model_config = ConfigDict(extra="allow")

    turns: list[_Turn]
    id: _Label = None
    language: _Label = None
    channel: _Label = None
    metadata: dict[str, Any] | None = None


_CONVERSATION: Final = TypeAdapter(_Conversation)


def conversation_of(value: object, source: Source, place: str, fallback_id: str) -> Conversation | Unreadable:
    """Return the conversation that a JSON object holds, or say what is wrong with it.

    Fields that the shape does not have are kept in ``metadata``; a turn's are left out.
    """
    own_id = _id_of(value) or fallback_id
    try:
        return _conversation(value, source, own_id)
    except _WrongError as wrong:
        return Unreadable(own_id, source.name, place, str(wrong))


class _WrongError(ValueError):
    """What is wrong with one conversation."""


def _id_of(value: object) -> str:
    found = value.get("id") if isinstance(value, dict) else None
    return clean(str(found)) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""


def _conversation(value: object, source: Source, own_id: str) -> Conversation:
    if not isinstance(value, dict):
        raise _WrongError(f"is {_brief(value)}, not an object with 'turns'")
    if "turns" not in value:
        raise _WrongError(
            f"has no 'turns'; its fields are {', '.join(map(str, list(value)[:12])) or 'none'}. {_SHAPES}"
        )
    try:
        read = _CONVERSATION.validate_python(value)
    except ValidationError as error:
        raise _WrongError(_reason(error.errors(include_url=False)[0])) from None
    turns = tuple(_turn(turn, f"turns[{number}]") for number, turn in enumerate(read.turns))
    channel = channel_of(read.channel)
    metadata = _metadata(read)
    if read.channel and channel is None:
        metadata.setdefault("channel", read.channel)
    return Conversation(own_id, turns, language_of(read.language), channel, metadata, source.name)


def _turn(read: _Turn, path: str) -> Turn:
    speaker = clean(read.speaker or "") or None
    role = role_of(read.role) or role_of(speaker)
    if role is None and speaker is None:
        if read.role:
            raise _WrongError(f"{path}.role is {_brief(read.role)}; use agent or customer")
        raise _WrongError(f"{path} has neither role nor speaker; give one of them")
    if read.start is not None and read.end is not None and read.end < read.start:
        raise _WrongError(f"{path}.end is {read.end:g}, before its start {read.start:g}")
    return Turn(clean(read.text), role, speaker, read.start, read.end)


def _metadata(read: _Conversation) -> dict[str, Any]:
    extra = read.model_extra or {}
    if "provenance" in extra:
        extra = {name: value for name, value in extra.items() if name not in _RECORD_FIELDS}
    return plain({**extra, **(read.metadata or {})})


def plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``metadata`` with only what JSON has: no NaN, infinity, dates or bytes."""
    return {str(name): _plain(value) for name, value in metadata.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return plain(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _reason(error: ErrorDetails) -> str:
    path = ""
    for step in error["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    path = path.lstrip(".")
    if error["type"] == "missing":
        return f"{path} is missing"
    met = f"{path} is {_brief(error['input'])}"
    if path.endswith((".start", ".end")):
        return f"{met}; use seconds from the start, zero or more, or leave it out"
    return f"{met}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _brief(value: object) -> str:
    if value is None:
        return "null"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _recognise(source: Source) -> bool:
    return source.head_text().startswith("{") or _is_list_of_objects(source.peek)


def _is_list_of_objects(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _read(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    return _lines(source) if _has_lines(source) else _document(source)


def _has_lines(source: Source) -> bool:
    """One object a line, or a document over several lines? The suffix and the first two lines tell."""
    if source.suffix in (".jsonl", ".ndjson"):
        return True
    first, newline, rest = source.head_text().partition("\n")
    if first.startswith("["):
        return False
    if not newline:  # a first line longer than the head
        with source.open_text() as stream:
            return _is_json(stream.readline())
    return rest.lstrip().startswith("{") or _is_json(first)


def _is_json(text: str) -> bool:
    try:
        from_json(text)
    except ValueError:
        return False
    return True


def _lines(source: Source) -> Iterator[Conversation | Unreadable]:
    with source.open_text() as stream:
        for number, line in enumerate(stream, 1):
            if not line.isspace():
                yield _line(line, number, source)


def _line(line: str, number: int, source: Source) -> Conversation | Unreadable:
    place, fallback_id = f"line {number}", f"{source.stem}-{number}"
    try:
        value = json_value(line.lstrip("\ufeff"))
    except ValueError as error:
        reason, _, where = str(error).partition(" at line 1 column ")
        return Unreadable(fallback_id, source.name, place, f"is not valid JSON at character {where}: {reason}")
    return conversation_of(value, source, place, fallback_id)


def _document(source: Source) -> Iterator[Conversation | Unreadable]:
    value = source.document()
    if not isinstance(value, list):
        yield conversation_of(value, source, "", source.stem)
        return
    if not any(isinstance(item, dict) and "turns" in item for item in value):
        first = ", ".join(map(str, list(value[0])[:12])) if value and isinstance(value[0], dict) else "no object"
        raise InputError(
            source.name, "", f"is a list in which nothing has 'turns'; its first item has {first}. {_SHAPES}"
        )
    for number, item in enumerate(value, 1):
        yield conversation_of(item, source, f"conversation {number}", f"{source.stem}-{number}")


FORMAT: Final = Format(
    "jsonl", "convqa JSON Lines (also a JSON array or object)", (".jsonl", ".ndjson", ".json"), _recognise, _read
)
