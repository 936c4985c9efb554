from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.readers import read


def test_times_names_and_continuation(data: Path, one: Callable[..., Conversation]) -> None:
    found = one(data / "talk.txt")
    assert found.turns == (
        Turn("God morgen, Solvik Energi.", "agent", "Kundebehandler (Tore)", 0.0),
        Turn(
            "Hei. Strømmen er borte.\nSe https://solvik.example/driftsmelding for hva dere skrev.\n"
            "OBS: den kom tilbake kl. 12:30.",
            "customer",
            "Innringer",
            4.0,
        ),
        Turn("Da forstår jeg.", "agent", "Kundebehandler (Tore)", 70.0),
    )
    assert (found.id, found.metadata) == ("talk", {"heading": "Samtale 17, mandag"})


def test_divider_begins_the_next_conversation(data: Path) -> None:
    first, second = read(data / "two.md")
    assert first.turns == (Turn("Hi there!", "agent", "Sales Rep"), Turn("Hello.", "customer", "Customer"))
    assert (first.id, second.id, second.turns[1].text) == ("two-1", "two-2", "Yes?")


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("[00:12] Agent: Hei", 12.0),
        ("[00:12]Agent: Hei", 12.0),
        ("00:00:12 Agent: Hei", 12.0),
        ("(00:12) Agent: Hei", 12.0),
        ("00:12 - Agent: Hei", 12.0),
        ("Agent [00:12]: Hei", 12.0),
        ("Agent (00:00:12.5): Hei", 12.5),
        ("**Agent** (00:12): Hei", 12.0),
        ("- Agent: Hei", None),
        ("Agent:Hei", None),
    ],
)
def test_places_of_times(
    write: Callable[..., Path], one: Callable[..., Conversation], line: str, start: float | None
) -> None:
    assert one(write("t.txt", line)).turns == (Turn("Hei", "agent", "Agent", start),)


def test_ranges_of_time_have_an_end(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.txt", "[00:01 - 00:03] Agent: Hei\n[00:04 --> 00:05] Kunde: Hei\n"))
    assert [(turn.start, turn.end) for turn in found.turns] == [(1.0, 3.0), (4.0, 5.0)]


def test_clock_times_with_a_date(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.txt", "02.11.2026, 09:14 - Kari: Hei\n02.11.2026, 09:16 - Tore: Hei du\n"))
    assert [(turn.speaker, turn.start) for turn in found.turns] == [("Kari", 0.0), ("Tore", 120.0)]
    assert found.metadata == {"started_at": "2026-11-02T09:14:00"}


@pytest.mark.parametrize(
    "inside",
    [
        "OBS: ring tilbake",
        "Merk: gjelder bare nye kunder",
        "https://convqa.example/a: der står det",
        "Vi møtes kl. 12:30",
        "kl.12:30 i morgen",
        "Kunde nr: 12345",
        "Det er slik: vi venter.",
        "Pris: 500\nPris: 600",
        "Husk: ikke skru av!",
        "10:15 går bussen",
        '"Nei": det sa de',
    ],
)
def test_words_with_a_colon_are_no_speaker(
    write: Callable[..., Path], one: Callable[..., Conversation], inside: str
) -> None:
    found = one(write("t.txt", f"Agent: Hei\nKunde: Hør her.\n{inside}\n\nAgent: Ja\n"))
    assert [turn.speaker for turn in found.turns] == ["Agent", "Kunde", "Agent"]
    assert found.turns[1].text == f"Hør her.\n{inside}"


def test_names_that_come_back_are_speakers(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.txt", "Kari Nordmann: Hei\nTore: Hei du\nKari Nordmann: Ja\nTore: Nei\nOle: Én gang\n"))
    assert [(turn.speaker, turn.role) for turn in found.turns[:3]] == [
        ("Kari Nordmann", None), ("Tore", None), ("Kari Nordmann", None)
    ]  # fmt: skip
    assert found.turns[3].text == "Nei\nOle: Én gang"


def test_each_of_two_names_is_a_speaker(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.txt", "Tore: Hei\nKari: Hei du\nTore: Ja\n"))
    assert [turn.speaker for turn in found.turns] == ["Tore", "Kari", "Tore"]


def test_headings_before_the_talk_are_no_speakers(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.txt", "Dato: 2. november\nEmne: Faktura\n\nTore: Hei\nKari: Hei\nTore: Ja\n"))
    assert found.metadata == {"heading": "Dato: 2. november\nEmne: Faktura"}
    assert found.turns[0] == Turn("Hei", None, "Tore")


def test_words_may_stand_below_the_name(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.txt", "Agent:\nHei.\n\nHva gjelder det?\nKunde:\n  Regninga.\n"))
    assert [turn.text for turn in found.turns] == ["Hei.\n\nHva gjelder det?", "Regninga."]


@pytest.mark.parametrize(
    "content", ["Hei.\nHva gjelder det?\n", "Notat: bare én\n", "Husk: ring\n", "-----\n\n-----\nx\n"]
)
def test_text_without_speakers_says_what_would_do(
    write: Callable[..., Path], bad: Callable[..., Unreadable], content: str
) -> None:
    assert "write each turn as 'Agent: …' or 'Customer: …'" in bad(write("t.txt", content)).reason


@pytest.mark.parametrize("rubbish", ["a" + " " * 900_000 + "b", "[00:00:00" + " " * 900_000, "a: " * 300_000])
def test_hostile_lines_take_no_time(write: Callable[..., Path], rubbish: str) -> None:
    began = time.perf_counter()
    (found,) = read(write("t.txt", f"Agent: Hei\nKunde: Ja\n{rubbish}\nAgent: Takk\n"))
    assert time.perf_counter() - began < 5
    assert isinstance(found, Conversation)
    assert found.turns[-1].text == "Takk"


def test_control_characters_go(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.txt", "Agent: h\x00e\x07i\nKunde: ja\u2028nei\x85\n"))
    assert [turn.text for turn in found.turns] == ["hei", "ja\u2028nei"]
