"""Rows of a table -> conversations: which column is what, and which rows belong together.

Used by the CSV and the Parquet reader. A row is one turn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.errors import InputError, UsageError
from convqa.readers.jsonl import plain
from convqa.readers.source import Source
from convqa.readers.times import has_time_of_day, moment, on_the_clock, seconds, since_first
from convqa.readers.turns import in_order
from convqa.readers.words import channel_of, clean, language_of, role_of

_HOUR: Final = 3600.0
Row = Sequence[object]
Rows = Callable[[], Iterator[tuple[int, Row]]]
"""Gives the numbered rows, from the first, each time that it is called."""

_HEADERS: Final = {
    "id": """conversationid conversation callid chatid dialogid dialogueid sessionid threadid ticketid caseid contactid
        interactionid transcriptid docid samtaleid samtale samtalenr samtalenummer samtalsid samtal samtalsnr
        samtalsnummer opkaldsid opkald chatsamtaleid saksnr saksnummer sagsnr sagsnummer sakid sagid sagsid ärendeid
        ärendenr ärendenummer henvendelse henvendelseid henvendelsesid id""",
    "text": """text utterance utterancetext message messagetext body content transcript tekst melding meldingstekst
        beskjed ytring innhold replikk besked beskedtekst indhold replik meddelande meddelandetext yttrande innehåll
        innhald""",
    "role": "role participantrole speakerrole sendertype authortype party rolle rollen deltakerrolle talerrolle roll",
    "speaker": """speaker speakerid speakername sender sendername from author participant participantid name who
        taler talerid avsender avsendar fra navn namn hvem kven deltaker deltakar afsender deltager
        avsändare från talare vem deltagare""",
    "start": """start starttime startseconds startsec startms startmillis begin begintime beginoffsetmillis offset
        offsetms starttid starttidspunkt startsek startsekunder startsekunder""",
    "end": """end endtime endseconds endsec endms endmillis endoffsetmillis stop slutt slutttid slut sluttid slutsek
        sluttsek""",
    "timestamp": """timestamp datetime createdat created sentat sent senttime time tidsstempel tidspunkt datotid
        datoogtid tid klokkeslett klokkeslæt sendt tidsstämpel tidpunkt datumtid klockslag skickat""",
    "date": "date dato datum",
    "language": "language lang languagecode locale språk språkkode sprog sprogkode språkkod mål",
    "channel": "channel channeltype medium kanal",
    "agent_id": """agentid agentname agent advisorid medarbeiderid medarbeider saksbehandler rådgiver medarbejderid
        medarbejder sagsbehandler medarbetare handläggare agentnavn agentnamn""",
    "customer_id": """customerid customer clientid kundeid kundenr kundenummer kunde kundid kundnr kundnummer kund""",
    "csat": "csat csatscore tilfredshet tilfredshed nöjdhet",
    "nps": "nps npsscore",
    "ces": "ces",
    "rating": "rating vurdering betyg",
    "queue": "queue kø kö",
    "team": "team lag avdeling afdeling avdelning",
    "topic": "topic subject emne tema ämne",
    "started_at": "startedat",
}
FIELDS: Final = tuple(_HEADERS)
"""The fields that a column can be named for; those from ``agent_id`` on become metadata."""

_METADATA: Final = FIELDS[FIELDS.index("agent_id") :]
_NUMBERS: Final = frozenset({"csat", "nps", "ces", "rating"})
_MILLISECONDS: Final = re.compile(r"(ms|millis|milliseconds)$")


def check_fields(columns: Mapping[str, str]) -> None:
    """UsageError for a field that no column can be named for."""
    for name in columns:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise UsageError(f"--columns: no field is called '{name}'.{hint} Fields: {', '.join(FIELDS)}")


def normal(header: object) -> str:
    """Return a header as the tables of names have it: ``Samtale-ID`` is ``samtaleid``."""
    return re.sub(r"[\W_]+", "", str(header).casefold())


def guess(header: Sequence[str]) -> dict[str, int]:
    """Return the position of each field that the header seems to have."""
    met: dict[str, int] = {}
    for position, name in enumerate(header):
        met.setdefault(normal(name), position)
    found: dict[str, int] = {}
    for name, words in _HEADERS.items():
        for word in words.split():
            if word in met:
                found[name] = met.pop(word)
                break
    return found


def locate(source: Source, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Return the position of each field's column; InputError where text or speakers have none."""
    named: dict[str, int] = {}
    for name, column in columns.items():
        if column:
            named[name] = _position(source, header, column)
    taken = set(named.values())
    guessed = guess(["" if position in taken else name for position, name in enumerate(header)])
    found = {name: position for name, position in guessed.items() if name not in columns} | named
    if "text" not in found:
        raise InputError(source.name, "", f"no column looks like the text. {_met(header, 'text=...')}")
    if "role" not in found and "speaker" not in found:
        raise InputError(source.name, "", f"no column says who speaks. {_met(header, 'role=... or speaker=...')}")
    return found


def _position(source: Source, header: Sequence[str], column: str) -> int:
    for same in (lambda name: name.strip() == column.strip(), lambda name: normal(name) == normal(column)):
        for position, name in enumerate(header):
            if same(name):
                return position
    raise InputError(source.name, "", f"there is no column '{column}'. {_met(header, 'field=column')}")


def _met(header: Sequence[str], option: str) -> str:
    shown = ", ".join(repr(name[:30]) for name in header[:15])
    return f"Columns met: {shown}{' …' if len(header) > 15 else ''}. Name the right one with --columns {option}"


def conversations(
    source: Source, header: Sequence[str], rows: Rows, columns: Mapping[str, str]
) -> Iterator[Conversation | Unreadable]:
    """Give the conversations of a table, each when its last row has been read.

    Rows of one conversation need not be neighbours: a first pass counts them, so that the second
    holds no more than the conversations that are open. Without an id the whole table is one.
    """
    places = locate(source, header, columns)
    remaining = _rows_by_id(rows, places)
    if "id" in places and "id" not in columns and normal(header[places["id"]]) == "id" and _all_single(remaining):
        del places["id"]  # such an id is the row's own
        remaining = Counter({None: remaining.total()})
    drafts: dict[str | None, _Draft] = {}
    try:
        for number, row in _filled(rows()):
            key = _key(row, places)
            draft = drafts.setdefault(key, _Draft(header, places, source))
            draft.rows.append((number, row))
            remaining[key] -= 1
            if remaining[key] <= 0:
                yield drafts.pop(key).finish(key)
    except InputError as error:
        if not drafts:
            raise
        for key in drafts:
            yield Unreadable(key or source.stem, source.name, error.place, error.reason)


def _rows_by_id(rows: Rows, places: Mapping[str, int]) -> Counter[str | None]:
    counts: Counter[str | None] = Counter()
    key = None
    try:
        for _, row in _filled(rows()):
            key = _key(row, places)
            counts[key] += 1
    except InputError:
        counts[key] += 1  # the file breaks off: what was being said may go on after it, and is never complete
    return counts


def _filled(rows: Iterator[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    return ((number, row) for number, row in rows if any(cell not in (None, "") for cell in row))


def _all_single(counts: Counter[str | None]) -> bool:
    return len(counts) > 1 and max(counts.values()) == 1


def _key(row: Row, places: Mapping[str, int]) -> str | None:
    return _text(_cell(row, places, "id")) or None


def _cell(row: Row, places: Mapping[str, int], name: str) -> object:
    position = places.get(name)
    value = row[position] if position is not None and position < len(row) else None
    if isinstance(value, str):
        return value.strip() or None
    return None if value != value else value  # NaN is not itself


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas writes ids with gaps as 17.0
    return clean(value if isinstance(value, str) else str(value))


class _BadRowError(ValueError):
    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


@dataclass(slots=True)
class _Draft:
    """A conversation whose last row is still to come."""

    header: Sequence[str]
    places: Mapping[str, int]
    source: Source
    rows: list[tuple[int, Row]] = field(default_factory=list)

    def finish(self, key: str | None) -> Conversation | Unreadable:
        own_id = key or self.source.stem
        try:
            if key is None and "id" in self.places:
                first = self.rows[0][0]
                own_id = f"{self.source.stem}-{first}"
                raise _BadRowError(first, f"{self._name('id')} is empty in {len(self.rows)} rows, this one the first")
            self._check_cells()
            turns, metadata = self._turns()
        except _BadRowError as bad:
            return Unreadable(own_id, self.source.name, f"row {bad.number}", str(bad))
        for name in _METADATA:
            if (value := self._first(name)) is not None:
                metadata[name] = _number(value) if name in _NUMBERS else value
        language, told = language_of(_text(self._first("language"))), _text(self._first("channel"))
        channel = channel_of(told)
        if told and channel is None:
            metadata["channel"] = told
        return Conversation(own_id, tuple(turns), language, channel, plain(metadata), self.source.name)

    def _check_cells(self) -> None:
        for number, row in self.rows:
            if len(row) < len(self.header) or any(row[len(self.header) :]):
                raise _BadRowError(number, f"has {len(row)} cells where the header has {len(self.header)}")

    def _turns(self) -> tuple[list[Turn], dict[str, Any]]:
        starts, ends, metadata = self._times()
        turns = [
            self._turn(number, row, start, end)
            for (number, row), start, end in zip(self.rows, starts, ends, strict=True)
        ]
        return in_order(turns), metadata

    def _turn(self, number: int, row: Row, start: float | None, end: float | None) -> Turn:
        told, speaker = _text(_cell(row, self.places, "role")), _text(_cell(row, self.places, "speaker")) or None
        role = role_of(told) or role_of(speaker)
        if role is None and speaker is None:
            if told:
                raise _BadRowError(number, f"role '{told[:60]}' is not known; use agent or customer")
            raise _BadRowError(number, "says neither role nor speaker")
        if start is not None and end is not None and end < start:
            raise _BadRowError(number, f"ends at {end:g} s, before its start at {start:g} s")
        return Turn(_text(_cell(row, self.places, "text")), role, speaker, start, end)

    def _times(self) -> tuple[list[float | None], list[float | None], dict[str, Any]]:
        """Starts and ends in seconds from the conversation's start, and when it was, where told."""
        begun = [self._time(row, "start") for row in self.rows] if "start" in self.places else self._stamps()
        ended = [self._time(row, "end") for row in self.rows]
        moments = [time if isinstance(time, datetime) else None for time in (*begun, *ended)]
        if not any(moments):
            starts, ends = [_float(time) for time in begun], [_float(time) for time in ended]
            first_start = next((start for start in starts if start is not None), 0.0)
            # No conversation starts an hour after its start: that is a time of day.
            zero = first_start if first_start >= _HOUR else 0.0
            return _since(starts, zero), _since(ends, zero), self._date()
        offsets = since_first(moments)
        first = next(time for time, offset in zip(moments, offsets, strict=True) if time and offset == 0)
        return offsets[: len(begun)], offsets[len(begun) :], {"started_at": first.isoformat()}

    def _time(self, row: tuple[int, Row], name: str) -> float | datetime | None:
        told = _cell(row[1], self.places, name)
        if told is None:
            return None
        if found := moment(told):
            return found
        try:
            return seconds(told) / (1000 if _MILLISECONDS.search(normal(self.header[self.places[name]])) else 1)
        except ValueError:
            raise self._no_time(row[0], name, told) from None

    def _stamps(self) -> list[float | datetime | None]:
        """When each row was written, from a date and time, or from a time alone."""
        told = [
            _day_and_time(_cell(row, self.places, "date"), _cell(row, self.places, "timestamp")) for _, row in self.rows
        ]
        found = [moment(stamp) for stamp in told]
        if any(found):
            for (number, _), stamp, time in zip(self.rows, told, found, strict=True):
                if stamp is not None and time is None:
                    raise self._no_time(number, "timestamp", stamp)
            return [time if has_time_of_day(stamp) else None for stamp, time in zip(told, found, strict=True)]
        for (number, _), stamp in zip(self.rows, told, strict=True):
            try:
                on_the_clock([stamp if stamp is None else str(stamp)])
            except ValueError:
                raise self._no_time(number, "timestamp", stamp) from None
        return [*on_the_clock([None if stamp is None else str(stamp) for stamp in told])]

    def _no_time(self, number: int, name: str, told: object) -> _BadRowError:
        return _BadRowError(number, f"{self._name(name)} is '{str(told)[:40]}', which is not a time")

    def _date(self) -> dict[str, Any]:
        found = moment(self._first("date") or self._first("timestamp"))
        return {"started_at": found.date().isoformat()} if found else {}

    def _first(self, name: str) -> Any:
        return next((value for _, row in self.rows if (value := _cell(row, self.places, name)) is not None), None)

    def _name(self, name: str) -> str:
        position = self.places.get(name)
        return f"'{self.header[position]}'" if position is not None else name


def _since(times: Sequence[float | None], zero: float) -> list[float | None]:
    return [None if time is None else round(time - zero, 6) for time in times]


def _float(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _day_and_time(day: object, time: object) -> object:
    if day is None or moment(time):
        return time
    day = day.isoformat()[:10] if isinstance(day, date) else day
    return day if time is None else f"{day} {time}"


def _number(value: object) -> object:
    try:
        number = float(str(value).replace(",", "."))
    except ValueError:
        return value
    return int(number) if number.is_integer() else number
