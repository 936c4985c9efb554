"""WebVTT and SRT captions: cues with a speaker, joined into turns.

The speaker is a voice tag (``<v Kari>``) or a name before a colon. A cue without one goes on with
the speaker before it, as subtitles name a speaker only when it changes. Neighbouring cues of one speaker are one
turn unless two seconds or more lie between them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from io import StringIO
from typing import Final

import webvtt
from webvtt.errors import MalformedCaptionError, MalformedFileError

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.errors import InputError
from convqa.readers.format import Format, Options
from convqa.readers.source import Source
from convqa.readers.text import parse_line, speakers_of
from convqa.readers.times import seconds
from convqa.readers.turns import joined
from convqa.readers.words import clean, language_of, role_of

_TIME: Final = r"(?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3}"
_CUE_TIMES: Final = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_SRT_START: Final = re.compile(rf"(?:\d+\s*\n)?\s*{_TIME}\s*-->")
_VOICE: Final = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]+)>")
_TAG: Final = re.compile(r"</?(?:[cibuv]|lang|ruby|rt|font)(?:[.\s][^<>]*)?>|<\d[\d:.]*>")
_LANGUAGE: Final = re.compile(r"(?:Language|language)\s*:\s*(\S+)")


def _recognise(source: Source) -> bool:
    head = source.head_text()
    return head.startswith("WEBVTT") or bool(_SRT_START.match(head))


def _read(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    text = source.text().lstrip("\ufeff \t\r\n")
    _check_times(source, text)
    turns = tuple(joined(_pieces(_cues(source, text))))
    if not turns:
        raise InputError(source.name, "", "has no captions with words in them")
    if not any(turn.speaker for turn in turns):
        raise InputError(
            source.name,
            "",
            "no caption tells who speaks; export it with speakers, as <v Name> tags or 'Name: words', "
            "or transcribe with speaker labels",
        )
    told = _LANGUAGE.search(text[: text.find("-->")])
    language = language_of(told[1]) if told else None
    yield Conversation(source.stem, turns, language, "call", source=source.name)


def _check_times(source: Source, text: str) -> None:
    # webvtt-py passes over a cue that it cannot read, and the words in it.
    for number, line in enumerate(text.splitlines(), 1):
        if "-->" in line and not _CUE_TIMES.fullmatch(line):
            raise InputError(
                source.name,
                f"line {number}",
                f"'{line.strip()[:60]}' is not a cue's time; use 00:00:01.000 --> 00:00:02.000",
            )


def _cues(source: Source, text: str) -> list[tuple[float, float, str]]:
    """Start and end in seconds, and the text with its tags, of each cue."""
    kind = "vtt" if text.startswith("WEBVTT") else "srt"
    try:
        captions = webvtt.from_buffer(StringIO(text), format=kind)
    except (MalformedFileError, MalformedCaptionError) as error:
        name = {"vtt": "WebVTT", "srt": "SRT"}[kind]
        raise InputError(source.name, "", f"is not whole {name}: {str(error) or type(error).__name__}") from None
    return [(seconds(cue.start), seconds(cue.end), cue.raw_text) for cue in captions.captions]


def _pieces(cues: list[tuple[float, float, str]]) -> Iterator[Turn]:
    """One piece a voice in a cue; several voices in one cue share its times."""
    voiced = [(start, end, voice, text) for start, end, raw in cues for voice, text in _voices(raw)]
    named = speakers_of(parse_line(line) for _, _, voice, text in voiced if not voice for line in text.split("\n"))
    current: str | None = None
    for start, end, voice, text in voiced:
        said: list[str] = []
        for line in [text] if voice else text.split("\n"):
            name = parse_line(line) if not voice else None
            if name and name.name.casefold() in named:
                yield _piece(current, said, start, end)
                current, said = name.name, [name.words]
            else:
                said.append(line)
        current = voice or current
        yield _piece(current, said, start, end)


def _voices(raw: str) -> Iterator[tuple[str | None, str]]:
    """Split a cue at its voice tags: a name (None before the first tag) and the words, without mark-up."""
    before, *voices = _VOICE.split(raw)
    if before.strip():
        yield None, _plain(before)
    for name, words in zip(voices[::2], voices[1::2], strict=True):
        yield clean(html.unescape(name)) or None, _plain(words)


def _plain(marked: str) -> str:
    return clean(html.unescape(_TAG.sub("", marked)))


def _piece(speaker: str | None, said: list[str], start: float, end: float) -> Turn:
    words = " ".join(line for line in map(str.strip, said) if line).replace("\n", " ")
    return Turn(words, role_of(speaker), speaker, start, max(start, end))


FORMAT: Final = Format("captions", "WebVTT or SRT captions with speakers", (".vtt", ".srt"), _recognise, _read)
