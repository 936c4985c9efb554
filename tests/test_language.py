"""Which language a conversation is in, and which are refused."""

from __future__ import annotations

import pytest

from convqa.language import ENOUGH, SURE, TOO_SHORT, identify

OURS = {
    "nb": "Hei, jeg har ventet i tre uker på at dere skal ringe tilbake. Hva er det egentlig som skjer med saken?",
    "nn": "Hei, eg har venta i tre veker på at de skal ringje meg tilbake. Kva er det eigentleg som skjer med saka mi?",
    "da": "Hej, jeg har ventet i tre uger på, at I ringer mig op igen. Hvad er det egentlig, der sker med min sag?",
    "sv": "Hej, jag har väntat i tre veckor på att ni ska ringa upp. Vad är det egentligen som händer med mitt ärende?",
    "en": "Hello, I have been waiting three weeks for you to call me back. What on earth is happening with my case?",
}
OTHERS = {
    "de": "Guten Tag, ich warte seit drei Wochen auf Ihren Rückruf. Was passiert eigentlich mit meinem Anliegen?",
    "nl": "Goedendag, ik wacht al drie weken tot u mij terugbelt. Wat gebeurt er eigenlijk met mijn klacht?",
    "fi": "Hei, olen odottanut kolme viikkoa, että soitatte minulle takaisin. Mitä asialleni oikein tapahtuu?",
    "is": "Góðan daginn, ég hef beðið í þrjár vikur eftir að þið hringið til baka. Hvað er að gerast í málinu?",
    "fr": "Bonjour, j'attends depuis trois semaines que vous me rappeliez. Que se passe-t-il avec mon dossier ?",
    "es": "Buenos días, llevo tres semanas esperando a que me devuelvan la llamada. ¿Qué pasa con mi expediente?",
    "it": "Buongiorno, aspetto da tre settimane che mi richiamiate. Che cosa sta succedendo con la mia pratica?",
    "pt": "Bom dia, estou há três semanas à espera de que me liguem de volta. O que se passa com o meu processo?",
    "pl": "Dzień dobry, od trzech tygodni czekam na państwa telefon. Co się właściwie dzieje z moją sprawą?",
}


@pytest.mark.parametrize("code", OURS)
def test_our_languages_are_told_apart(code: str) -> None:
    guess = identify([OURS[code]])
    assert (guess.language, guess.supported) == (code, True)
    assert 0.3 < guess.probability <= 1.0


@pytest.mark.parametrize("code", OURS)
def test_turns_count_together_and_as_speech_is_written_down(code: str) -> None:
    assert identify(OURS[code].lower().replace(",", "").replace("?", ".").split(".")).language == code


@pytest.mark.parametrize("code", OTHERS)
def test_another_language_is_refused_by_its_own_name(code: str) -> None:
    guess = identify([OTHERS[code]])
    assert (guess.language, guess.supported) == (code, False)
    assert guess.probability >= SURE


@pytest.mark.parametrize("code", OTHERS)
def test_a_few_words_are_never_refused(code: str) -> None:
    guess = identify([OTHERS[code][: TOO_SHORT - 1]])
    assert guess.supported and guess.language in OURS


@pytest.mark.parametrize("texts", [[], [""], ["12 34", "😀"], ["ok"], ["\ud83d hei der"], ["中文" * 200]])
def test_what_says_little_is_never_refused(texts: list[str]) -> None:
    guess = identify(texts)
    assert guess.supported and guess.language in OURS
    assert 0.0 <= guess.probability <= 1.0


def test_a_foreign_word_or_two_change_nothing() -> None:
    assert identify([OURS["sv"], "Check the router, please. Danke schön!"]).language == "sv"


def test_another_language_that_is_not_sure_is_not_refused() -> None:
    # Italian is more probable than English here, but below SURE.
    guess = identify([OURS["en"][:80], OTHERS["it"]])
    assert (guess.language, guess.supported) == ("en", True)
    assert guess.probability < 0.5


def test_only_the_beginning_is_looked_at() -> None:
    begin = [OURS["da"]] * (ENOUGH[-1] // len(OURS["da"]) + 1)
    assert identify([*begin, *[OTHERS["de"]] * 100]) == identify(begin)
