"""Names and numbers as a reader of the report sees them."""

from __future__ import annotations

import re
from typing import Final

_BANDS: Final = {"good": "Good", "acceptable": "Acceptable", "needs_attention": "Needs attention", "poor": "Poor"}
BANDS: Final = tuple(_BANDS)
"""Bands from best to worst."""

_LANGUAGES: Final = {
    "nb": "Norwegian Bokmål",
    "nn": "Norwegian Nynorsk",
    "da": "Danish",
    "sv": "Swedish",
    "en": "English",
}

# Everything that steers instead of showing: control characters but tab and newline, overrides,
# embeddings and isolates of writing direction, deprecated format characters, halves of surrogate pairs.
_STEERING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)
_LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def visible(text: str) -> str:
    """The text with every steering character shown by its number: ``[U+202E]``."""
    return _STEERING.sub(lambda met: f"[U+{ord(met[0]):04X}]", text)


def words(name: str) -> str:
    """``active_listening`` as ``Active listening``."""
    spaced = name.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def band_words(band: str | None) -> str:
    """``needs_attention`` as ``Needs attention``; ``No band`` for None."""
    return "No band" if band is None else _BANDS.get(band, words(band))


def language_words(language: str | None) -> str:
    """``da`` as ``Danish``; a code that is not known stays as it is."""
    return "Language not known" if language is None else _LANGUAGES.get(language, language)


def language_tag(language: str | None) -> str | None:
    """The language for a ``lang`` attribute, None where it has not the form of a tag."""
    return language if language and _LANGUAGE_TAG.fullmatch(language) else None


def number(value: float, digits: int = 1) -> str:
    """``-1234.56`` as ``−1,234.6``, with a true minus and never ``−0.0``."""
    rounded = round(value, digits)
    return f"{abs(rounded):,.{digits}f}" if rounded >= 0 else f"−{abs(rounded):,.{digits}f}"


def percent(share: float) -> str:
    """``0.504`` as ``50%``."""
    return f"{round(100 * share)}%"


def count(n: int, one: str, many: str | None = None) -> str:
    """``count(1, "call")`` is ``1 call``, ``count(1200, "call")`` is ``1,200 calls``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def clock(seconds: float) -> str:
    """Seconds from the start as ``1:05`` or ``1:02:05``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shortened(text: str, most: int) -> str:
    """The text, or its first ``most - 1`` characters and an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def listed(parts: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
