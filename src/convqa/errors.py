"""What a user reads when input or set-up is wrong.

Every message names the place, what was met there and what would do.
"""

from __future__ import annotations


class ConvqaError(Exception):
    """Anything that convqa tells a person instead of showing a traceback."""


class InputError(ConvqaError):
    """Input that cannot be read.

    ``source`` is the file's name, ``place`` where in it (``"row 14"``, ``"line 3"``; empty for the
    whole file), ``reason`` what was met and what would do.
    """

    def __init__(self, source: str, place: str, reason: str) -> None:
        self.source = source
        self.place = place
        self.reason = reason
        super().__init__(f"{source}, {place}: {reason}" if place else f"{source}: {reason}")


class UsageError(ConvqaError):
    """The call itself was wrong: an unknown format, speaker, model or option value."""


class RubricError(ConvqaError):
    """A rubric that does not follow the rubric's rules."""


class ModelError(ConvqaError):
    """A model folder that is missing, damaged, or made for another version."""
