"""Which language a conversation is in, by the Lingua library (Stahl, Apache-2.0)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from lingua import Language as LinguaLanguage
from lingua import LanguageDetector, LanguageDetectorBuilder

SUPPORTED = {
    LinguaLanguage.BOKMAL: "nb",
    LinguaLanguage.NYNORSK: "nn",
    LinguaLanguage.DANISH: "da",
    LinguaLanguage.SWEDISH: "sv",
    LinguaLanguage.ENGLISH: "en",
}
OTHERS = (
    LinguaLanguage.DUTCH,
    LinguaLanguage.FINNISH,
    LinguaLanguage.FRENCH,
    LinguaLanguage.GERMAN,
    LinguaLanguage.ICELANDIC,
    LinguaLanguage.ITALIAN,
    LinguaLanguage.POLISH,
    LinguaLanguage.PORTUGUESE,
    LinguaLanguage.SPANISH,
)
"""Languages that are recognised so that they can be refused instead of scored as something else."""

ENOUGH = (500, 1500)
"""Characters that are looked at: the first few, and more where these leave it open."""
CLEAR = 0.99
"""At this probability the first few characters are enough."""
TOO_SHORT = 80
"""Below so many characters another language is never claimed: 'ok, hi' can be anything."""
SURE = 0.8
"""At this probability another language is taken to be that language."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A language code (``nb nn da sv en``, or another's ISO 639-1 code) and its probability."""

    language: str
    probability: float
    supported: bool


@cache
def _detector() -> LanguageDetector:
    # The low-accuracy mode reads trigrams only: the process stays some 200 MB smaller, and whole
    # conversations are long enough for it (docs/language.md).
    return LanguageDetectorBuilder.from_languages(*SUPPORTED, *OTHERS).with_low_accuracy_mode().build()


def identify(texts: Iterable[str]) -> Guess:
    """Guess the language of a conversation from its turns' texts."""
    text = _first(texts, ENOUGH[-1])
    for enough in ENOUGH:
        guess = _guess(text[:enough])
        if guess.probability >= CLEAR or len(text) <= enough:
            break
    return guess


def _guess(text: str) -> Guess:
    # Lingua takes UTF-8, which cannot hold half a surrogate pair.
    values = _detector().compute_language_confidence_values(text.encode("utf-8", "replace").decode())
    best = values[0]
    if best.language in SUPPORTED:
        return Guess(SUPPORTED[best.language], round(best.value, 4), True)
    if len(text) >= TOO_SHORT and best.value >= SURE:
        return Guess(best.language.iso_code_639_1.name.lower(), round(best.value, 4), False)
    ours = next(value for value in values if value.language in SUPPORTED)
    return Guess(SUPPORTED[ours.language], round(ours.value, 4), True)


def _first(texts: Iterable[str], enough: int) -> str:
    taken: list[str] = []
    length = 0
    for text in texts:
        taken.append(text[: enough - length])
        length += len(taken[-1]) + 1
        if length >= enough:
            break
    return "\n".join(taken)
