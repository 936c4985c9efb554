from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.readers import read


def test_names_before_a_colon(data: Path, one: Callable[..., Conversation]) -> None:
    found = one(data / "names.vtt")
    assert found.language == "da"
    assert found.turns == (
        Turn("Hej, er der nogen?", "customer", "Kunde", 0.05, 1.79),
        Turn("Ja, du taler med Bodil & co. Hvad kan jeg hjælpe med?", "agent", "Rådgiver", 2.07, 5.0),
        Turn("Er du der stadig? OBS: det er optaget kl. 12:30.", "agent", "Rådgiver", 65.14, 68.31),
    )


def test_voice_tags(data: Path, one: Callable[..., Conversation]) -> None:
    assert one(data / "voices.vtt").turns == (
        Turn("God dag. Hva gjelder det?", None, "Kari Nordmann", 0.08, 4.24),
        Turn("Regninga mi.", None, "Ola", 5.0, 8.0),
        Turn("Ja, den.", None, "Kari Nordmann", 5.0, 8.0),
    )


def test_srt(data: Path, one: Callable[..., Conversation]) -> None:
    assert one(data / "calls.srt").turns == (
        Turn("Hello, Contoso.", "agent", "Agent", 1.0, 2.5),
        Turn("Hi. It's 12:30 and nobody came.", "customer", "Customer", 3.0, 4.0),
    )


def test_two_speakers_in_one_cue(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:04.000\nAgent: Hei.\nKunde: Hei du.\n\n00:03.500 --> 00:05.000\nKunde: Ja.\n"
    assert one(write("c.vtt", text, "utf-8-sig")).turns == (
        Turn("Hei.", "agent", "Agent", 1.0, 4.0),
        Turn("Hei du. Ja.", "customer", "Kunde", 1.0, 5.0),
    )


@pytest.mark.parametrize(("gap", "turns"), [("00:03.999", 1), ("00:04.000", 2)])
def test_a_pause_of_two_seconds_ends_a_turn(
    write: Callable[..., Path], one: Callable[..., Conversation], gap: str, turns: int
) -> None:
    text = f"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Agent>Hei\n\n{gap} --> 00:09.000\n<v Agent>på deg\n"
    assert len(one(write("c.vtt", text)).turns) == turns


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        (
            "WEBVTT\n\n00:01.000 --> 00:02.000\nHei.\n\n00:02.000 --> 00:03.000\nHei du.\n",
            "",
            "no caption tells who speaks",
        ),
        ("WEBVTT\n\n00:01.000 --> soon\n<v A>Hei\n", "line 3", "'00:01.000 --> soon' is not a cue's time"),
        ("WEBVTT\n\nNOTE nothing\n", "", "has no captions with words in them"),
        ("WEBVTT\n", "", "has no captions with words in them"),
    ],
)
def test_what_cannot_be_read_is_told(
    write: Callable[..., Path], bad: Callable[..., Unreadable], content: str, place: str, reason: str
) -> None:
    found = bad(write("c.vtt", content))
    assert found.place == place
    assert found.reason.startswith(reason)


@pytest.mark.parametrize("rubbish", ["<c " * 300_000, "<v" + " " * 900_000, "<" * 900_000, "<v A>" * 200_000 + "Hei"])
def test_hostile_marks_take_no_time(write: Callable[..., Path], rubbish: str) -> None:
    text = f"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Kari>Hei {rubbish}\n"
    began = time.perf_counter()
    (found,) = read(write("c.vtt", text))
    assert time.perf_counter() - began < 5
    assert isinstance(found, Conversation)
