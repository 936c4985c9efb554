"""What was said, by whom, when: the nouns that travel from a reader to a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from convqa.labels import Channel, Role


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said in one go.

    ``role`` is who they are in the conversation, where known; ``speaker`` the name or id that the
    source gives them. ``start`` and ``end`` are seconds from the conversation's beginning, where
    the source has times.
    """

    text: str
    role: Role | None = None
    speaker: str | None = None
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One call, chat or e-mail thread, turn by turn in the order in which it happened.

    ``language`` and ``channel`` are None where the source does not say. A ``language`` outside
    ``labels.LANGUAGES`` is kept as the source gives it, and the scorer skips the conversation.
    ``metadata`` is passed through to the record untouched; ``source`` is the file it came from.
    """

    id: str
    turns: tuple[Turn, ...]
    language: str | None = None
    channel: Channel | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Where a conversation should have been and could not be read.

    It travels with the conversations, so that a bad line never stops the good ones and still ends
    as a record (status ``failed``). ``id`` is the conversation's own where it could be seen,
    otherwise made of source and place; ``place`` is like ``"line 3"`` (empty: the whole file).
    """

    id: str
    source: str
    place: str
    reason: str
