"""Who is the agent: given, partly given, inferred, overruled. The model here asks one thing: who has questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from convqa.conversation import Conversation, Turn
from convqa.labels import Role
from convqa.report import Roles
from convqa.roles import CONFIDENT, ENOUGH, WIDTH, RoleModel, assign, speaker_rows

QUESTIONS, FIRST = WIDTH, WIDTH + 1


@pytest.fixture
def model() -> RoleModel:
    """Weighs the share of turns with questions by 10; 0.3 of that is what a row holds."""
    weights = np.zeros(WIDTH + 2)
    weights[QUESTIONS] = 10.0
    return RoleModel(weights, 1.0, "")


def conversation(*lines: str) -> Conversation:
    """``conversation("anna/agent: text", "bo: text", "/customer: text")``."""
    turns = []
    for line in lines:
        head, _, text = line.partition(": ")
        speaker, _, role = head.partition("/")
        known: dict[str, Role] = {"agent": "agent", "customer": "customer"}
        turns.append(Turn(text, known.get(role), speaker or None))
    return Conversation("c", tuple(turns))


def letters(found: Conversation) -> str:
    return "".join("-" if turn.role is None else turn.role[0] for turn in found.turns)


def test_given_roles_stay(model: RoleModel) -> None:
    given = conversation("/customer: Why?", "/agent: Because.")
    assert assign(given, model) == (given, Roles("given", ("agent",), None, True))


def test_a_speaker_known_from_one_turn_is_known_in_all(model: RoleModel) -> None:
    found, roles = assign(conversation("anna: Hi?", "bo/customer: Hi?", "anna/agent: So", "bo: So"), model)
    assert letters(found) == "acac"
    assert roles == Roles("given", ("anna",), None, True)


@pytest.mark.parametrize(("role", "expected"), [("agent", "acc"), ("customer", "caa")])
def test_where_one_side_is_known_the_rest_are_the_other(model: RoleModel, role: str, expected: str) -> None:
    found, roles = assign(conversation(f"anna/{role}: Hi", "bo: Hi?", "cleo: Hi?"), model)
    assert letters(found) == expected
    assert roles is not None and roles.origin == "given"


def test_two_speakers_are_told_apart_by_what_they_say(model: RoleModel) -> None:
    found, roles = assign(conversation("anna: My bill is wrong.", "bo: Which bill?", "anna: This.", "bo: Ok?"), model)
    assert letters(found) == "caca"
    assert roles == Roles("inferred", ("bo",), round(float(expit(3.0)), 4), True)


def test_an_unsure_guess_is_marked(model: RoleModel) -> None:
    _, roles = assign(conversation("anna: A bill.", "bo: Which?", "bo: This.", "bo: Yes."), model)  # a third asked
    assert roles is not None
    assert (roles.probability, roles.confident) == (round(float(expit(1.0)), 4), False)
    assert expit(1.0) < CONFIDENT < expit(3.0)


def test_of_equals_the_first_is_the_agent_and_not_for_sure(model: RoleModel) -> None:
    found, roles = assign(conversation("anna: Hi", "bo: Hi"), model)
    assert letters(found) == "ac"
    assert roles == Roles("inferred", ("anna",), 0.5, False)


def test_of_several_each_goes_to_the_nearer_end(model: RoleModel) -> None:
    found, roles = assign(
        conversation(
            *("anna: No.", "bo: What?"),
            *("cleo: Why?", "cleo: Which?", "cleo: Ok."),  # two of three are nearer to all than to none
            *("dag: Why?", "dag: No.", "dag: Ok."),
        ),
        model,
    )
    assert letters(found) == "ca" + "aaa" + "ccc"
    assert roles is not None and roles.agents == ("bo", "cleo")


def test_where_both_sides_are_known_anybody_else_is_neither(model: RoleModel) -> None:
    found, roles = assign(conversation("a/agent: No.", "b/customer: Why?", "bot: What?", "b: No."), model)
    assert letters(found) == "ac-c"
    assert roles == Roles("given", ("a",), None, True)


@pytest.mark.parametrize("who", ["anna", "bo"])
def test_the_user_overrules_everything(model: RoleModel, who: str) -> None:
    found, roles = assign(conversation("anna/agent: Hi", "bo/customer: Hi?", "cleo: Hi"), model, agent=who)
    assert letters(found) == {"anna": "acc", "bo": "cac"}[who]
    assert roles == Roles("overruled", (who,), None, True)


def test_a_name_that_nobody_has_overrules_nothing(model: RoleModel) -> None:
    told = conversation("anna: Hi", "bo: Hi?")
    assert assign(told, model, agent="Anna") == assign(told, model)


@pytest.mark.parametrize("agent", [None, "bo"])
def test_nothing_is_inferred_from_one_speaker(model: RoleModel, agent: str | None) -> None:
    alone = conversation("anna: Hi?", "anna: Ok.")
    assert assign(alone, model, agent) == (alone, None)
    assert assign(Conversation("c", ()), model)[0].turns == ()


def test_one_speaker_of_known_role_is_given(model: RoleModel) -> None:
    found, roles = assign(conversation("anna/customer: Hi?", "anna: Ok."), model)
    assert letters(found) == "cc"
    assert roles == Roles("given", (), None, True)
    assert assign(conversation("anna: Hi?"), model, agent="anna")[1] == Roles("overruled", ("anna",), None, True)


def test_rows_hold_words_questions_and_who_began() -> None:
    rows = speaker_rows([["Hva gjelder det?", "Ja"], ["HVA 12"], []])
    assert rows.shape == (3, WIDTH + 2)
    dense = rows[:, WIDTH:].toarray()
    np.testing.assert_allclose(dense, [[0.15, 0.3], [0.0, 0.0], [0.0, 0.0]])
    words = rows[:, :WIDTH]
    np.testing.assert_allclose(words.multiply(words).sum(axis=1).ravel(), [[1.0, 1.0, 0.0]])
    assert (words[1] != speaker_rows([["x"], ["hva 99"]])[1, :WIDTH]).nnz == 0  # neither case nor digits count
    long = speaker_rows([["ord " * ENOUGH], ["ord " * ENOUGH + "noe annet"]])[:, :WIDTH]
    assert (long[0] != long[1]).nnz == 0


def test_bundled_model_knows_a_plain_case() -> None:
    model = RoleModel.load()
    caller = ["Hei, nettet mitt har vært nede siden mandag og jeg får ikke jobbet.", "Det er 4411."]
    service = ["Velkommen til kundeservice, du snakker med Tore.", "Da skal jeg sjekke det. Hva er kundenummeret ditt?"]
    for speakers, expected in (([service, caller], [True, False]), ([caller, service], [False, True])):
        verdicts, probability = model.agents(speakers)
        assert verdicts == expected
        assert probability > 0.5


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    from convqa.errors import ModelError

    with pytest.raises(ModelError, match="no model here"):
        RoleModel.load(tmp_path)
