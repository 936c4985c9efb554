"""Where utterances begin and end: rules by example, and what holds for any text."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from convqa.errors import ModelError
from convqa.segment import MAX_CHARACTERS, MAX_WORDS, Segmenter, sentences, words

# A bar stands where a boundary belongs: "| " for a space, "|" for a new line.
RULES = {
    "nb": [
        "Hei, du snakker med Tore.| Hva gjelder det?",
        "Ja.| Ja, nettopp.| Har du bookingreferansen?",
        "Kan du sende bl.a. faktura, kvittering osv. til meg?",
        "Ta med pass, billett osv.| Så ordner vi resten.",
        "Vi ringer f.eks. mandag kl. 9.| Passer det?",
        "Ring tlf. 22 33 44 55, ev. mob. 99 88 77 66.",
        "Det gjelder ca. 300 kr. i gebyr.| Greit?",
        "Det tar 10 min. eller så.| Vent litt.",
        "Det tok 10 min.| Så falt linjen ut.",
        "Den er min.| Takk.",
        "Fristen er 3. mai.| Etter det blir det purring.",
        "Pakken ble sendt 20. desember og kom 23. Desember.",
        "Den 14. kommer montøren, og den 3. og 4. juni er vi stengt.",
        "Du bor i 2. etasje?| Ja, i 3. etasje.",
        "Møt opp kl. 12.30.| Ta med legitimasjon.",
        "vi stenger kl 10.| da er det for sent",
        "Totalt blir det 1.299,50.| Pi er 3.14.| Ok.",
        "Jeg bestilte 6.| Hun er seks år.",
        "Skriv til kari.nordmann@nett.no.| Eller gå til www.nett.no/hjelp?id=3.| Takk!",
        "Se vilkår.pdf.| Der står det.",
        "J. Hansen og A. B. Berg ringte.| Begge to.",
        "Det heter Warsame, med M.| Ja.",
        "Da går vi for plan B.| Så ser vi.",
        "Så ... jeg vet ikke helt… men det haster.",
        "Jeg vet ikke ...| Kan du sjekke?",
        "«Det går ikke.» sa han.| «Jaha.»| Så la han på.",
        "(Det var i fjor.)| Nå er det verre.",
        "Takk! 😊| Hei igjen 🎁| Jeg heter Kevin.",
        "Så bra! 😄👍| ha en fin dag",
        "Takk for hjelpen :)| Ha det!",
        "Takk for hjelpen! :)| Ha det!",
        "Hva?!| Det kan ikke stemme!!!| Hallo??",
        "Hei Kari,|Takk for e-posten.|Mvh. Tore",
        "Gjør slik:|- slå av|- vent|- slå på",
        "1. Slå av.| 2. Slå på.| 3. Vent.",
        "Mvh. Kari Nordmann",
        "Det må netteieren svare på| Jeg sender saken dit",
        "Dr. Berg er her.| Prof. Lie også.",
        "Det står i avtalen dvs. i pkt. 3.| Les den.",
    ],
    "nn": [
        "Eg ringjer for mor mi.| Ho treng ei ny kurv.",
        "Kan du t.d. ringje kl. 10?| Eg er her.",
        "Fristen er 12. januar.| Kva gjer vi no?",
        "Han er her no.| Takk.",
        "Eg er attende att.| Torbjørn trur det går.",
        "Å.| Ja, det er klart.",
        "Det tek ca. to dagar o.l.| Greitt?",
    ],
    "da": [
        "Goddag, det er Inger.| Jeg har ventet i 3 uger.",
        "Vi kan f.eks. flytte dig til den 16. juni.| Er det i orden?",
        "Det er bl.a. Hr. Madsen, der har sagt det.",
        "Tlf. 33 44 55 66, kl. 9-15.| Tak.",
        "Det koster ca. 3 mio. kr. i alt.| Okay.",
        "Ja, jeg ser det her, LS 412 den niende.| Vi kan flytte dig.",
        "Jeg bor på 2. sal.| Den 3. maj flytter jeg.",
        "tak.| den har jeg",
        "Det må du undskylde| Du får det i dag",
    ],
    "sv": [
        "Ni har dragit 389 kronor den 27:e.| Jag vill ha pengarna tillbaka.",
        "Det gäller t.ex. faktura nr. 5, fr.o.m. 3 maj.| Stämmer det?",
        "Båda 06.12 på morgonen.| Samma dag.",
        "Ta med pass m.m.| Sedan går det fort.",
        "Hon är s.k. VIP.| Okej.",
        "Ring tfn. 08-12 34 56.| Tack!",
        "Det drogs 12.| Jag såg det.",
        "Tack för att Du kontaktar oss!| Vi svarar i dag.",
    ],
    "en": [
        "Mr. Smith and Dr. Jones called at 5 p.m.| They left.",
        "It takes approx. 3 days, e.g. from Monday, i.e. Thursday at the latest.",
        "No. 5 is yours.| No.| It is not.",
        "So do I.| Then go.",
        "I paid $3.14.| Can you check?",
        "Well... maybe.| Wait...| Yes.",
        'He said "No."| Then he hung up.',
        'He said "no." and hung up.',
        "Have a look at section 4.2.| Then call.",
        "Offer ends Dec. 3 for Acme Inc. customers.| Hurry!",
        "ok thanks.| bye",
        "sorry?| what was that",
        "I see| Can you send the email",
        "and I'm sure I've said so",
        "We are so sorry! 💚 ^Trix| You must be tired.",
        "Please try: 1. Close the app.| 2. Open it.",
        "It is 7 May| It is late",
    ],
    "fi": ["Hei.| Kiitos tästä!| Selvä, kl. 9 tai mvh. Kari."],
}


def split(text: str, language: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text, language)]


@pytest.mark.parametrize(("language", "marked"), [(key, one) for key, listed in RULES.items() for one in listed])
def test_rules_by_example(language: str, marked: str) -> None:
    text = marked.replace("| ", " ")
    assert split(text.replace("|", "\n"), language) == [part.strip() for part in marked.split("|")]


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u2028", "\u00a0"])
def test_blank_text_has_no_utterances(segmenter: Segmenter, text: str) -> None:
    assert segmenter.segment([text], "nb") == [[]]


def test_no_turns(segmenter: Segmenter) -> None:
    assert segmenter.segment([], "nb") == []
    assert segmenter.segment_many([]) == []


def test_a_missing_space_after_a_stop_ends_a_sentence_but_an_address_does_not() -> None:
    assert split("takk.Jeg venter", "nb") == ["takk.", "Jeg venter"]
    assert split("hva?hvorfor det", "nb") == ["hva?", "hvorfor det"]
    assert split("se www.Nett.No/Hjelp.Pdf og Kari.Berg@Nett.No nå", "nb") == [
        "se www.Nett.No/Hjelp.Pdf og Kari.Berg@Nett.No nå"
    ]


def test_lines_wrapped_by_a_mail_program_are_joined() -> None:
    text = (
        "Hei, jeg skriver fordi fakturaen for september ble trukket\n"
        "to ganger fra kontoen min. Kan dere se på det?\n\nHilsen Kari"
    )
    assert split(text, "nb") == [
        "Hei, jeg skriver fordi fakturaen for september ble trukket\nto ganger fra kontoen min.",
        "Kan dere se på det?",
        "Hilsen Kari",
    ]


# ------------------------------------------------------------------------------------------------ the model


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load()


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("nb", "hei du snakker med tore| hva kan jeg hjelpe deg med"),
        ("nb", "det skjønner jeg godt| jeg beklager at vi ikke ringte deg tilbake"),
        ("nn", "hei du snakkar med jorunn| kva kan eg hjelpe deg med"),
        ("da", "du taler med mette| hvad kan jeg hjælpe dig med"),
        ("sv", "du pratar med jonas| vad kan jag hjälpa dig med"),
        ("en", "i've found your order| what was the name of the street again"),
    ],
)
def test_unpunctuated_speech_is_split_by_the_model(segmenter: Segmenter, language: str, marked: str) -> None:
    text = marked.replace("|", "")
    spans = segmenter.segment([text], language)[0]
    assert [text[start:end] for start, end in spans] == [part.strip() for part in marked.split("|")]


def test_short_lines_without_punctuation_stay_whole_in_a_written_conversation(segmenter: Segmenter) -> None:
    texts = ["Hei, du chatter med Silje. Hva gjelder det?", "ok takk det er greit da", "Bare hyggelig. Ha en fin dag."]
    assert [len(spans) for spans in segmenter.segment(texts, "nb")] == [2, 1, 2]


def test_words_lose_capitals_and_punctuation_but_keep_their_place() -> None:
    text = "  Ja, – altså: «det» går. 😊 OK?"
    forms, starts = words(text)
    assert forms == ["ja", "altså", "det", "går", "ok"]
    assert [text[start] for start in starts] == ["J", "a", "«", "g", "O"]


# ---------------------------------------------------------------------------------------- what always holds

ALPHABET = [
    *"aåÆöZ019.,!?…:;()[]{}\"'«»“”-–_*/@#^|&<>=+~ ",
    *["\n", "\r\n", "\t", "\u2028", "\x85", "\x1c", "\x00", "\x07", "\u00a0", "\u200b", "\u200d", "\ufeff", "\u0301"],
    *[
        "😀",
        "👨‍👩‍👧",
        "🇳🇴",
        "1️⃣",
        "é",
        "ﬁ",
        "漢",
        "ع",
        "\U000e0041",
        " Jeg ",
        " 3. mai ",
        " kl. ",
        "...",
        ". ",
        "bl.a. ",
    ],
    *["hei ", "det ", "er ", "ikke ", "so ", "takk ", "Hei ", "www.x.no "],
]


TALK = "hei ja det er kari og jeg ringer om fakturaen min men jeg vet ikke hva nummeret er så kan du se so yes but"


def check(text: str, spans: list[tuple[int, int]]) -> None:
    at = 0
    for start, end in spans:
        assert start < end
        assert not text[at:start].strip(), "characters left out"
        assert text[start:end] == text[start:end].strip()
        assert len(text[start:end].split()) <= MAX_WORDS
        assert end - start <= MAX_CHARACTERS
        at = end
    assert not text[at:].strip(), "characters left out at the end"


def random_text(rng: random.Random) -> str:
    return "".join(rng.choices(ALPHABET, k=rng.randint(0, 120)))


@pytest.mark.parametrize("language", ["nb", "nn", "da", "sv", "en", "fi", ""])
def test_spans_hold_every_character_of_any_text(segmenter: Segmenter, language: str) -> None:
    rng = random.Random(language)  # noqa: S311
    texts = [random_text(rng) for _ in range(400)]
    for text, spans in zip(texts, segmenter.segment(texts, language), strict=True):
        check(text, spans)
    loose = [text.replace(".", "").replace("!", "").replace("?", "").replace("…", "") for text in texts]
    for text, spans in zip(loose, segmenter.segment(loose, language), strict=True):
        check(text, spans)


def test_a_conversation_is_split_the_same_alone_and_among_others(segmenter: Segmenter) -> None:
    rng = random.Random(4)  # noqa: S311
    talk = TALK.split()
    conversations = [
        (
            [" ".join(rng.choices(talk, k=rng.randint(1, 60))) for _ in range(rng.randint(1, 9))],
            rng.choice(["nb", "en"]),
        )
        for _ in range(80)
    ]
    conversations += [([random_text(rng) for _ in range(4)], "da") for _ in range(40)]
    alone = [segmenter.segment(texts, language) for texts, language in conversations]
    assert segmenter.segment_many(conversations) == alone
    backwards = segmenter.segment_many(conversations[::-1])
    assert backwards[::-1] == alone


def test_no_utterance_is_longer_than_the_cap(segmenter: Segmenter) -> None:
    text = "ord " * 1000 + "."
    spans = segmenter.segment([text], "nb")[0]
    assert len(spans) == 9
    check(text, spans)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "hei på deg " * 90_000,
        "Hei på deg. " * 80_000,
        "." * 1_000_000,
        "!" * 1_000_000 + "a",
        "." + " " * 1_000_000 + "a",
        "😀" * 1_000_000,
        "a\n" * 500_000,
    ],
    ids=["one word", "words", "sentences", "stops", "exclamations", "spaces", "emoji", "lines"],
)
def test_a_turn_of_a_million_characters(segmenter: Segmenter, text: str) -> None:
    began = time.perf_counter()
    spans = segmenter.segment([text], "nb")[0]
    assert time.perf_counter() - began < 60
    check(text, spans)


def test_many_turns(segmenter: Segmenter) -> None:
    texts = ["Hei. Hva gjelder det?", "det er fakturaen min den er feil"] * 10_000
    spans = segmenter.segment(texts, "nb")
    assert len(spans) == 20_000
    assert spans[0] == [(0, 4), (5, 21)]


# ------------------------------------------------------------------------------------------------- loading


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"meta\.json is missing"):
        Segmenter.load(tmp_path)


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"lang": "xx"}')
    with pytest.raises(ModelError, match="does not load"):
        Segmenter.load(tmp_path)
