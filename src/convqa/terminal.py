"""Other people's words on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text in which nothing can steer the terminal; line ends stay."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
