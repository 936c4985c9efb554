"""WhisperX (and alike): JSON with ``segments`` that have text, times in seconds and a speaker."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.errors import InputError
from convqa.readers.format import Format, Options
from convqa.readers.source import Source
from convqa.readers.times import seconds
from convqa.readers.turns import joined
from convqa.readers.words import clean, language_of, role_of

UNKNOWN: Final = "unknown"
"""The speaker of a segment that diarization left without one."""


def _recognise(source: Source) -> bool:
    found = source.peek
    segments = found.get("segments") if isinstance(found, dict) else None
    return isinstance(segments, list) and all(isinstance(s, dict) and "text" in s for s in segments[:1])


def _read(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    document = source.document()
    segments = document["segments"]
    turns = tuple(joined(piece for segment in segments for piece in _pieces(segment)))
    if turns and all(turn.speaker == UNKNOWN for turn in turns):
        raise InputError(
            source.name, "", "no segment has a speaker; run the transcription with speaker labels (whisperx --diarize)"
        )
    yield Conversation(source.stem, turns, language_of(document.get("language")), "call", source=source.name)


def _pieces(segment: dict[str, Any]) -> Iterator[Turn]:
    """One piece a segment; of a segment without speaker, one for each run of words of one speaker."""
    words = segment.get("words") or []
    if segment.get("speaker") or not any("speaker" in word for word in words):
        yield _turn(segment.get("speaker"), segment["text"], segment.get("start"), segment.get("end"))
        return
    for speaker, run in groupby(_carried(words), key=lambda word: word[0]):
        listed = [word for _, word in run]
        starts = [time for word in listed if (time := _seconds(word.get("start"))) is not None]
        ends = [time for word in listed if (time := _seconds(word.get("end"))) is not None]
        text = " ".join(word["word"].strip() for word in listed)
        yield _turn(speaker, text, min(starts, default=None), max(ends, default=None))


def _carried(words: list[dict[str, Any]]) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Each word with its speaker; one without goes on with the speaker before it, or the first to come."""
    speaker = next((word["speaker"] for word in words if word.get("speaker")), None)
    for word in words:
        speaker = word.get("speaker") or speaker
        yield speaker, word


def _turn(speaker: object, text: str, start: object, end: object) -> Turn:
    name = clean(str(speaker or "")) or UNKNOWN
    return Turn(clean(text), role_of(name), name, _seconds(start), _seconds(end))


def _seconds(value: object) -> float | None:
    # A word that could not be aligned has no time, or NaN, which is not itself.
    return None if value is None or value != value else seconds(value)


FORMAT: Final = Format("whisperx", "WhisperX JSON with speakers", (".json",), _recognise, _read)
