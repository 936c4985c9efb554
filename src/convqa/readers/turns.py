"""Pieces of speech -> turns: what one speaker says in one go is one turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Final

from convqa.conversation import Turn

PAUSE: Final = 2.0
"""Seconds of silence after which the same speaker begins a new turn."""


def joined(pieces: Iterable[Turn], pause: float = PAUSE) -> Iterator[Turn]:
    """Join neighbouring pieces of one speaker with a space, unless ``pause`` seconds or more lie between.

    A turn lasts from its first piece's start to the latest end. Pieces without words are left out.
    """
    run: list[Turn] = []
    for piece in pieces:
        if not piece.text:
            continue
        if run and not _goes_on(run[-1], piece, pause):
            yield _one(run)
            run = []
        run.append(piece)
    if run:
        yield _one(run)


def _goes_on(before: Turn, after: Turn, pause: float) -> bool:
    if (before.role, before.speaker) != (after.role, after.speaker):
        return False
    return before.end is None or after.start is None or after.start - before.end < pause


def _one(run: list[Turn]) -> Turn:
    ends = [piece.end for piece in run if piece.end is not None]
    return replace(run[0], text=" ".join(piece.text for piece in run), end=max(ends, default=None))


def in_order(turns: Iterable[Turn]) -> list[Turn]:
    """Return the turns by start where all have one (a list that runs backwards is turned first)."""
    listed = list(turns)
    starts = [turn.start for turn in listed if turn.start is not None]
    if len(starts) < len(listed) or all(a <= b for a, b in pairwise(starts)):
        return listed
    if starts[0] > starts[-1]:
        listed.reverse()
    return sorted(listed, key=lambda turn: turn.start or 0.0)
