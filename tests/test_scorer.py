"""The whole way with the bundled models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import convqa
from convqa import Conversation, Record, Scorer, Turn, Unreadable
from convqa.errors import ModelError, UsageError

Talk = Callable[..., Conversation]

LINES = (
    "C: Hei, det er tredje gang jeg ringer om den samme fakturaen, og jeg er skikkelig lei.",
    "A: Det skjønner jeg godt, tre ganger er altfor mye. Beklager at vi ikke har ordnet det.",
    "C: Ja, så hva gjør dere nå?",
    "A: Jeg sletter gebyret med en gang, og du får en ny faktura på e-post innen i morgen klokka tolv.",
    "C: Tusen takk, det var fint.",
    "A: Bare hyggelig, ha en fin dag!",
)


def by_hand(record: Record) -> float:
    """Add the score up as docs/record.md says."""
    counted = [(c.weight, c.points) for c in record.criteria if c.points is not None]
    total = 100 * sum(weight * points for weight, points in counted) / sum(weight for weight, _ in counted)
    return round(min([total, *(cap.at_most for cap in record.caps)]), 1)


def test_record_can_be_added_up_by_hand_and_quotes_are_exact(scorer: Scorer, talk: Talk) -> None:
    record = scorer.score(talk(*LINES))
    assert record.status == "scored" and record.language == "nb"
    assert record.score == by_hand(record)
    evidence = [e for c in record.criteria for e in c.evidence]
    assert evidence
    for e in evidence:
        assert record.turns[e.turn].text[e.start : e.end] == e.quote
        assert any(
            (u.start, u.end) == (e.start, e.end) and e.label in u.labels for u in record.turns[e.turn].utterances
        )


def test_samples_can_all_be_added_up_by_hand(scorer: Scorer) -> None:
    samples = Path(convqa.__file__).with_name("samples")
    records = list(scorer.pipe(convqa.read(samples)))
    assert len(records) >= 12
    assert {record.status for record in records} == {"scored"}
    assert [record.score for record in records] == [by_hand(record) for record in records]
    assert {record.language for record in records} == {"nb", "nn", "da", "sv", "en"}


def test_good_handling_scores_far_above_a_brush_off(scorer: Scorer, talk: Talk) -> None:
    good = scorer.score(talk(*LINES))
    bad = scorer.score(
        talk(
            LINES[0],
            "A: Det vet jeg ikke, det må du ta med noen andre.",
            "C: Men jeg har jo ringt tre ganger! Kan dere ikke bare slette gebyret?",
            "A: Du skulle ha lest vilkårene. Sånn er reglene, det er ikke mitt bord.",
            "C: Dette er helt håpløst, dere hører jo ikke på meg.",
            "A: Da får du ro deg ned og ringe igjen en annen dag.",
        )
    )
    assert good.score is not None and bad.score is not None
    assert good.score - bad.score > 30


def test_routine_contact_is_not_punished_for_missing_empathy(scorer: Scorer, talk: Talk) -> None:
    record = scorer.score(
        talk(
            "A: Välkommen till Järnvägsbutiken, det är Sanna, vad kan jag hjälpa till med?",
            "C: Hej! När går sista tåget till Falun på lördag?",
            "A: Sista tåget går klockan 21.14 från spår fyra.",
            "C: Perfekt, tack ska du ha.",
            "A: Varsågod, trevlig resa!",
        )
    )
    empathy = next(c for c in record.criteria if c.name == "empathy")
    assert not empathy.applicable and empathy.points is None


def test_same_input_gives_same_bytes_alone_or_in_a_batch(scorer: Scorer, talk: Talk) -> None:
    many = [talk(*LINES[n % 5 :], *LINES[: n % 5], id=str(n)) for n in range(40)]
    together = [convqa.to_json(record) for record in scorer.pipe(many)]
    alone = [convqa.to_json(convqa.load().score(conversation)) for conversation in many[:2]]
    assert together[:2] == alone
    assert together == [convqa.to_json(record) for record in scorer.pipe(many)]


def test_unreadable_ends_as_a_failed_record_in_its_place(scorer: Scorer, talk: Talk) -> None:
    bad = Unreadable("x", "calls.csv", "row 14", "role 'bot' is not known; use agent or customer")
    records = list(scorer.pipe([talk(*LINES, id="1"), bad, talk(*LINES, id="2")]))
    assert [(r.id, r.status) for r in records] == [("1", "scored"), ("x", "failed"), ("2", "scored")]
    assert records[1].reason == "calls.csv, row 14: role 'bot' is not known; use agent or customer"


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (Conversation("a", ()), "nothing is said"),
        (Conversation("a", (Turn("  \n", "agent"),)), "nothing is said"),
        (Conversation("a", (Turn("Hei, du snakker med Tore", "agent"),)), "no customer speaks"),
        (Conversation("a", (Turn("Hei, hallo?", "customer"), Turn(" ", "agent"))), "no agent speaks"),
        (Conversation("a", (Turn("Hei", None, "spk_0"), Turn("Hallo", None, "spk_0"))), "only one speaker"),
        (Conversation("a", (Turn("Hei", "customer"), Turn("Hallo", "agent")), language="de"), "'de' is not supported"),
    ],
)
def test_what_cannot_be_assessed_is_skipped_with_a_reason(
    scorer: Scorer, conversation: Conversation, reason: str
) -> None:
    record = scorer.score(conversation)
    assert record.status == "skipped" and record.score is None
    assert reason in (record.reason or "")


def test_another_language_is_refused(scorer: Scorer, talk: Talk) -> None:
    record = scorer.score(
        talk(
            "C: Guten Tag, ich warte seit drei Wochen auf meine Rückerstattung und niemand antwortet mir.",
            "A: Das tut mir sehr leid, ich kümmere mich sofort persönlich um Ihr Anliegen.",
        )
    )
    assert (record.status, record.language) == ("skipped", "de")


def test_agent_is_inferred_and_can_be_overruled(scorer: Scorer) -> None:
    turns = (
        Turn("Välkommen till Bredband Syd, du talar med Elin, vad kan jag hjälpa dig med?", None, "spk_1"),
        Turn("Jo hej, mitt internet har varit nere sen i går och jag jobbar hemma.", None, "spk_0"),
        Turn("Då felsöker jag din anslutning, kan jag få ditt kundnummer?", None, "spk_1"),
        Turn("Det är 4411.", None, "spk_0"),
    )
    record = scorer.score(Conversation("a", turns))
    assert record.roles is not None
    assert (record.roles.origin, record.roles.agents, record.roles.confident) == ("inferred", ("spk_1",), True)
    assert [turn.role for turn in record.turns] == ["agent", "customer", "agent", "customer"]
    swapped = convqa.load(agent="spk_0").score(Conversation("a", turns))
    assert swapped.roles is not None
    assert (swapped.roles.origin, swapped.roles.agents) == ("overruled", ("spk_0",))
    assert [turn.role for turn in swapped.turns] == ["customer", "agent", "customer", "agent"]


def test_a_bot_beside_agent_and_customer_is_not_judged(scorer: Scorer, talk: Talk) -> None:
    chat = talk(*LINES)
    rude = Turn("Det er din egen feil, ro deg ned.", None, "BOT")
    with_bot = replace(chat, turns=(rude, *chat.turns))
    record = scorer.score(with_bot)
    assert record.roles is not None and record.roles.origin == "given"
    assert record.turns[0].role is None and record.turns[0].utterances == ()
    assert record.score == scorer.score(chat).score


def test_unsure_roles_are_marked(scorer: Scorer) -> None:
    turns = (Turn("ja", None, "a"), Turn("ja", None, "b"))
    record = scorer.score(Conversation("a", turns, language="nb"))
    assert record.roles is not None and record.roles.origin == "inferred"
    assert not record.roles.confident


def test_silence_is_unknown_without_times_and_measured_with_them(scorer: Scorer, talk: Talk) -> None:
    without = scorer.score(talk(*LINES))
    assert without.signals["longest_silence_s"] is None
    starts = (0.0, 6.0, 12.0, 50.0, 60.0, 64.0)
    turns = tuple(
        replace(turn, start=start, end=start + 4.0) for turn, start in zip(talk(*LINES).turns, starts, strict=True)
    )
    timed = scorer.score(Conversation("a", turns))
    assert timed.signals["longest_silence_s"] == 34.0


def test_20000_turns_and_a_turn_of_1_mb_are_scored(scorer: Scorer) -> None:
    many = tuple(Turn(f"Jeg har ventet i {n} dager på svar", "customer" if n % 2 else "agent") for n in range(20_000))
    huge = (Turn("hjelp meg " * 100_000, "customer"), Turn("a" * 1_000_000, "agent"))
    records = list(scorer.pipe([Conversation("many", many), Conversation("huge", huge)]))
    assert [record.status for record in records] == ["scored", "scored"]
    assert all(len(c.evidence) <= 20 for c in records[0].criteria)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Beklager at vi ikke ringte deg tilbake i går.", "apology"),
        ("Undskyld at vi har ladet dig vente så længe.", "apology"),
        ("I'm so sorry we missed the appointment.", "apology"),
        ("We apologize for the delay.", "apology"),
        ("Tack för att du hörde av dig, ha en fin dag!", "courtesy"),
        ("Eg forstår godt at det er frustrerande å vente så lenge.", "empathy"),
    ],
)
def test_detect_finds_what_is_plain(scorer: Scorer, text: str, label: str) -> None:
    (found,) = scorer.detect([{"text": text, "role": "agent"}])
    assert label in found


def test_detect_takes_the_highest_of_several_utterances(scorer: Scorer) -> None:
    apology = "I'm sorry we missed the appointment."
    alone, together = scorer.probabilities(
        [
            {"text": apology, "role": "agent"},
            {"text": f"What is your number? {apology} It is on the page.", "role": "agent"},
        ]
    )
    assert together["apology"] > 0.5
    assert abs(together["apology"] - alone["apology"]) < 0.3


def test_detect_keeps_roles_apart(scorer: Scorer) -> None:
    (found,) = scorer.probabilities([{"text": "Takk for hjelpen, nå virker det!", "role": "customer"}])
    assert found["courtesy"] == 0.0 and found["gratitude"] > 0.5


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"role": "agent"}, "'text' is missing"),
        ({"text": 4}, "'text' is 4"),
        ({"text": "a", "role": "bot"}, "use agent or customer"),
        ({"text": "a", "language": "de"}, "use one of nb nn da sv en"),
        ({"text": "a", "context": "customer: hi"}, "a list of strings"),
    ],
)
def test_detect_says_what_is_wrong(scorer: Scorer, asked: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scorer.detect([asked])


def test_load_says_what_is_wrong(tmp_path: object) -> None:
    with pytest.raises(ModelError, match="no such folder, nor a bundled model \\(fast\\)"):
        convqa.load(f"{tmp_path}/none")
    with pytest.raises(ModelError, match="no model here"):
        convqa.load(str(tmp_path))
    with pytest.raises(UsageError, match="not supported"):
        convqa.load(language="de")
