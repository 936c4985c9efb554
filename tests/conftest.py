"""What tests share: a scorer loaded once, and records made from little."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import convqa
from commands import Run, runner
from convqa import Conversation, Scorer, Turn


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    """The bundled models and rubric."""
    return convqa.load()


@pytest.fixture
def talk() -> Callable[..., Conversation]:
    """``talk("C: text", "A: text", id=…)`` makes a conversation with a turn for each line."""

    def make(*lines: str, id: str = "c", **fields: object) -> Conversation:
        who = {"A": "agent", "C": "customer"}
        turns = tuple(Turn(text, who[side]) for side, _, text in (line.partition(": ") for line in lines))  # type: ignore[arg-type]
        return Conversation(id, turns, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command line in an empty folder: its exit status, and what it printed."""
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capfd)
