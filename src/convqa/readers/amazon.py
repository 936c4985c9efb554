"""Amazon Transcribe, Transcribe Call Analytics and Contact Lens: one JSON document a conversation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.errors import InputError
from convqa.readers.format import Format, Options
from convqa.readers.source import Source
from convqa.readers.times import moment, since_first
from convqa.readers.turns import PAUSE, in_order, joined
from convqa.readers.words import channel_of, clean, language_of, role_of

_BREATH: Final = 0.3
"""Seconds of silence on a channel in which the other channel can take the turn."""

Item = dict[str, Any]


def _recognise(source: Source) -> bool:
    found = source.peek
    if not isinstance(found, dict):
        return False
    results = found.get("results")
    if isinstance(results, dict) and ("transcripts" in results or "items" in results or "audio_segments" in results):
        return True
    return isinstance(found.get("Transcript"), list) or "ConversationCharacteristics" in found


def _read(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    document = source.document()
    status = document.get("status") or document.get("JobStatus")
    read = _transcribe if "results" in document else _analytics if "Transcript" in document else None
    if read is None or status not in (None, "COMPLETED"):
        raise InputError(source.name, "", f"has no transcript; the job's status is {status or 'not told'}")
    yield read(document, source)


def _transcribe(document: Item, source: Source) -> Conversation:
    """Read a batch job's output: newer ``audio_segments``, or words with speaker or channel labels."""
    results = document["results"]
    if results.get("audio_segments"):
        pieces: Iterable[Turn] = in_order(_audio_segment(segment) for segment in results["audio_segments"])
    elif "channel_labels" in results:
        pieces = in_order(_of_channels(results["channel_labels"]["channels"]))
    elif "speaker_labels" in results:
        pieces = _of_words(results["items"], _speakers(results["speaker_labels"]))
    else:
        pieces = []
    turns = tuple(joined(pieces))
    if not any(turn.speaker for turn in turns) and results.get("items"):
        raise InputError(
            source.name, "", "nobody is told apart; run the job with speaker partitioning or channel identification"
        )
    codes = [code.get("language_code") for code in results.get("language_codes") or [{}]]
    language = language_of(results.get("language_code") or codes[0])
    name = document.get("jobName")
    metadata = {"job_name": name} if name else {}
    return Conversation(name or source.stem, turns, language, "call", metadata, source.name)


def _audio_segment(segment: Item) -> Turn:
    speaker = segment.get("speaker_label") or segment.get("channel_label")
    return _turn(segment["transcript"], speaker, segment.get("start_time"), segment.get("end_time"))


def _turn(text: str, speaker: str | None, start: Any, end: Any) -> Turn:
    begun, ended = (None if time is None else float(time) for time in (start, end))
    return Turn(clean(text), role_of(speaker), speaker, begun, ended)


def _speakers(labels: Item) -> dict[str, str]:
    """The speaker of each word by its start, from the segments; older files tell it nowhere else."""
    items = (item for segment in labels.get("segments", []) for item in segment.get("items", []))
    return {item["start_time"]: item["speaker_label"] for item in items if "start_time" in item}


def _of_words(items: list[Item], speakers: dict[str, str]) -> Iterator[Turn]:
    """One piece a word with its punctuation."""
    for word, text in _with_punctuation(items):
        speaker = word.get("speaker_label") or speakers.get(word.get("start_time", ""))
        yield _turn(text, speaker, word.get("start_time"), word.get("end_time"))


def _with_punctuation(items: list[Item]) -> Iterator[tuple[Item, str]]:
    word: Item | None = None
    text = ""
    for item in items:
        content = item["alternatives"][0]["content"]
        if item["type"] == "punctuation" and word is not None:
            text += content
            continue
        if word is not None:
            yield word, text
        word, text = item, content
    if word is not None:
        yield word, text


def _of_channels(channels: list[Item]) -> Iterator[Turn]:
    """Pieces of each channel, cut where another channel speaks in a pause, so that they can be put in order."""
    spoken = {channel["channel_label"]: _with_punctuation(channel["items"]) for channel in channels}
    words = {
        label: [_turn(text, label, item.get("start_time"), item.get("end_time")) for item, text in found]
        for label, found in spoken.items()
    }
    for label, own in words.items():
        others = sorted(word.start or 0.0 for other, theirs in words.items() if other != label for word in theirs)
        run: list[Turn] = []
        for word in own:
            if run and _yields(run[-1], word, others):
                yield from joined(run)
                run = []
            run.append(word)
        yield from joined(run)


def _yields(before: Turn, after: Turn, others: list[float]) -> bool:
    """Tell whether somebody else begins between two words of one channel."""
    if before.end is None or after.start is None or not _BREATH <= after.start - before.end < PAUSE:
        return False
    following = bisect_left(others, before.end)
    return following < len(others) and others[following] < after.start


def _analytics(document: Item, source: Source) -> Conversation:
    """Read Call Analytics or Contact Lens output, of a call or a chat."""
    known = {person.get("ParticipantId"): person for person in document.get("Participants") or []}
    items = [item for item in document["Transcript"] if item.get("Content")]
    moments = [moment(item.get("AbsoluteTime")) for item in items]
    written = since_first(moments)
    turns = tuple(
        _analytics_turn(item, {**known.get(item.get("ParticipantId"), {}), **item}, start)
        for item, start in zip(items, written, strict=True)
    )
    contact = document.get("CustomerMetadata") or {}
    told = {
        "job_name": document.get("JobName"),
        "contact_id": contact.get("ContactId"),
        "instance_id": contact.get("InstanceId"),
        "categories": (document.get("Categories") or {}).get("MatchedCategories") or None,
        "started_at": _first(moments),
    }
    metadata = {name: value for name, value in told.items() if value}
    own_id = told["contact_id"] or told["job_name"] or source.stem
    language, channel = language_of(document.get("LanguageCode")), channel_of(document.get("Channel"))
    return Conversation(str(own_id), turns, language, channel, metadata, source.name)


def _analytics_turn(item: Item, told: Item, written: float | None) -> Turn:
    role = told.get("ParticipantRole")
    speaker = told.get("DisplayName") or told.get("ParticipantId") or role
    begun, ended = (
        item[name] / 1000 if item.get(name) is not None else None for name in ("BeginOffsetMillis", "EndOffsetMillis")
    )
    return Turn(clean(item["Content"]), role_of(role), speaker, written if begun is None else begun, ended)


def _first(moments: list[datetime | None]) -> str | None:
    known = [m for m in moments if m]
    return min(known).isoformat() if known else None


FORMAT: Final = Format(
    "amazon", "Amazon Transcribe, Call Analytics or Contact Lens JSON", (".json",), _recognise, _read
)
