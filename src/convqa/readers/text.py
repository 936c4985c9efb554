"""Plain text: ``Name: words`` lines, with or without times, one file a conversation.

A line of only ``---`` or ``===`` (three or more) divides conversations. A line without a speaker
belongs to the turn above it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Any, Final

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.errors import InputError
from convqa.readers.format import Format, Options
from convqa.readers.source import Source
from convqa.readers.times import moment, on_the_clock, since_first
from convqa.readers.words import clean, role_of

_DIVIDER: Final = re.compile(r"\s*(?:-{3,}|={3,})\s*")
_TIME: Final = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_DATE: Final = r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})"
_STAMP: Final = rf"(?:(?P<date>{_DATE})[T,\s]+(?:kl\.?\s*)?)?(?P<time>{_TIME})"
_LEADING_TIME: Final = re.compile(
    rf"\s*[\[(<]?{_STAMP}(?:\s*(?:-->|–|-)\s*(?P<end>{_TIME}))?(?:[\])>]\s*(?:[-–—|]\s+)?|\s*[-–—|]\s+|\s+)(?=\S)"
)
_GAP: Final = r"\s{0,4}"  # bounded, as three unbounded ones in a row take cubic time
_NAME: Final = re.compile(
    r"\s*(?:[-•>]\s+)?(?:\*\*|__)?(?P<name>[^\W_][^:\n*]{0,47}?)(?:\*\*|__)?"
    rf"{_GAP}(?:[\[(]{_STAMP}[\])])?(?:\*\*|__)?{_GAP}:"
    r"(?!//)(?:\*\*|__)?(?P<gap>\s*)(?P<words>.*)"
)
_LOWER_CASE: Final = "af av de den der di du la le van von og and & fra från from at hos nr no"
_PARTICLES: Final = frozenset(_LOWER_CASE.split())
_HEADINGS: Final = """
adresse address besked c/o cc dato date datum emne fw fwd id info kl kontakt link mail merk mobil mvh nb note notat
obs p.s ps pris re ref samtale samtale-id samtal sak sag ärende status subject telefon tema tid time tip tips tlf
topic url varighet varighed viktig viktigt vigtigt warning ämne call call-id conversation conversation-id duration
phone price e-post epost e-mail email channel kanal language språk sprog til to title tittel http https
"""
_NOT_NAMES: Final = frozenset(_HEADINGS.split())


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a transcript as it might be a speaker's: the name and the words after it."""

    name: str
    words: str
    date: str | None = None
    time: str | None = None
    end: str | None = None


def parse_line(line: str) -> Line | None:
    """Return the line's name and words if it could begin a turn (``[00:12] Agent Tore: Hei``)."""
    leading = _LEADING_TIME.match(line)
    match = _NAME.match(line, leading.end() if leading else 0)
    if not match or not _could_be_name(match["name"]):
        return None
    if match["words"] and not match["gap"] and not role_of(match["name"]):
        return None  # kl.12:30, a:b
    stamp = (leading or match).groupdict()
    return Line(match["name"], match["words"], stamp["date"], stamp["time"], stamp.get("end"))


def _could_be_name(name: str) -> bool:
    if role_of(name):
        return True
    words = re.sub(r"[()\[\]]", " ", name).split()
    if not 1 <= len(words) <= 5 or re.search(r"[!?\"“”«»]", name) or not re.search(r"[^\W\d_]", name):
        return False
    return len(words) == 1 or all(not word[0].islower() or word in _PARTICLES for word in words)


def speakers_of(lines: Iterable[Line | None]) -> frozenset[str]:
    """Return the names (case-folded) that are speakers, among lines that could be.

    A name is one if it tells a role, leads the first such line, stands beside a time, or comes back
    after somebody else has spoken; where that makes only one, the next name is the other party. Words
    such as OBS, Merk or Pris never are. A single line with a
    name that tells no role is a text with a colon, not a conversation.
    """
    met = [line for line in lines if line and (role_of(line.name) or line.name.casefold() not in _NOT_NAMES)]
    names = [line.name.casefold() for line in met]
    sure = {name for name, line in zip(names, met, strict=True) if line.time or role_of(line.name)}
    if len(met) < 2 and not sure:
        return frozenset()
    runs = Counter(name for name, _ in groupby(names))
    found = sure | set(names[:1]) | {name for name, count in runs.items() if count > 1}
    if len(found) == 1:
        found.update([name for name in names if name not in found][:1])
    return frozenset(found)


def _recognise(source: Source) -> bool:
    lines = [line for line in source.head_text()[:65536].splitlines() if line.strip()][:20]
    return bool(speakers_of(map(parse_line, lines)))


def _read(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
    found = _with_speakers(source)
    ahead = list(islice(found, 2))
    if not ahead:
        raise InputError(
            source.name,
            "",
            "no line begins with a speaker's name and a colon; write each turn as 'Agent: …' or 'Customer: …'",
        )
    for number, (block, notes) in enumerate(chain(ahead, found), 1):
        yield _conversation(source, source.stem if len(ahead) == 1 else f"{source.stem}-{number}", block, notes)


def _with_speakers(source: Source) -> Iterator[tuple[list[str], list[str]]]:
    """Give each conversation's lines, and those of blocks without speakers beside it (a title, an end note)."""
    current: list[str] = []
    notes: list[str] = []
    for block in _blocks(source):
        if not speakers_of(map(parse_line, block)):
            notes += block
        elif current:
            yield current, notes
            current, notes = block, []
        else:
            current = block
    if current:
        yield current, notes


def _blocks(source: Source) -> Iterator[list[str]]:
    block: list[str] = []
    with source.open_text() as stream:
        for line in stream:
            if _DIVIDER.fullmatch(line):
                yield block
                block = []
            else:
                block.append(line)
    yield block


def _conversation(source: Source, own_id: str, block: list[str], notes: list[str]) -> Conversation:
    parsed = [parse_line(line) for line in block]
    speakers = speakers_of(parsed)
    heads: list[Line] = []
    texts: list[list[str]] = [notes]
    for raw, line in zip(block, parsed, strict=True):
        if line and line.name.casefold() in speakers:
            heads.append(line)
            texts.append([line.words])
        else:
            texts[-1].append(raw)
    starts, ends, metadata = _times(heads)
    turns = [
        Turn(words, role_of(head.name), head.name, start, end)
        for head, text, start, end in zip(heads, texts[1:], starts, ends, strict=True)
        if (words := clean("\n".join(line.rstrip() for line in text)))
    ]
    if heading := clean("".join(texts[0])):
        metadata["heading"] = heading
    return Conversation(own_id, tuple(turns), metadata=metadata, source=source.name)


def _times(heads: list[Line]) -> tuple[list[float | None], list[float | None], dict[str, Any]]:
    if any(head.date for head in heads):
        moments = [moment(f"{head.date} {head.time}") if head.date else None for head in heads]
        first = min((m for m in moments if m), default=None)
        told = {"started_at": first.isoformat()} if first else {}
        return since_first(moments), [None] * len(heads), told
    times = on_the_clock([*(head.time for head in heads), *(head.end for head in heads)])
    starts, ends = times[: len(heads)], times[len(heads) :]
    return (
        starts,
        [e if e is not None and s is not None and e >= s else None for s, e in zip(starts, ends, strict=True)],
        {},
    )


FORMAT: Final = Format("text", "plain text, 'Name: words' lines", (".txt", ".text", ".md", ".log"), _recognise, _read)
