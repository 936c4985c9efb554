"""Who is the agent, where the source does not say: inferred from what the speakers say.

A linear model over word n-grams compares two speakers: the probability that the one is the agent and
the other the customer is ``expit(sharpness * (score_1 - score_2))``. Trained by ``training/roles``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.feature_extraction.text import HashingVectorizer

from convqa.artifact import Artifact, complete, models_folder, open_artifact
from convqa.conversation import Conversation, Turn
from convqa.labels import Role
from convqa.ngrams import WORD_PATTERN, normalise
from convqa.report import Roles

KIND = "speaker-roles"
CONFIDENT = 0.9
"""Below this probability an inferred agent is marked as not confident."""
ENOUGH = 6000
"""Characters of a speaker that are looked at."""
WIDTH = 2**16


def _hasher() -> HashingVectorizer:
    return HashingVectorizer(
        n_features=WIDTH, token_pattern=WORD_PATTERN, ngram_range=(1, 2), lowercase=False, alternate_sign=False
    )


def speaker_rows(speakers: Sequence[Sequence[str]]) -> sp.csr_matrix:
    """Return one row a speaker, shape (len(speakers), WIDTH + 2): hashed words, share of questions, spoke first.

    The first speaker of ``speakers`` is the one who spoke first.
    """
    texts = [normalise(" \n ".join(turns)[:ENOUGH]) for turns in speakers]
    dense = [
        [sum("?" in turn for turn in turns) / max(1, len(turns)), float(number == 0)]
        for number, turns in enumerate(speakers)
    ]
    return sp.hstack([_hasher().transform(texts), sp.csr_matrix(np.array(dense) * 0.3)], format="csr")


@dataclass(frozen=True, slots=True)
class RoleModel:
    """Weights of the comparison, shape (WIDTH + 2,), and its calibrated sharpness."""

    weights: NDArray[np.float64]
    sharpness: float
    digest: str

    @classmethod
    def load(cls, folder: Path | None = None) -> RoleModel:
        """Open a role model's folder; the bundled one without an argument. Raises ModelError."""
        artifact: Artifact = open_artifact(folder or models_folder() / "roles", KIND)
        with complete(artifact):
            weights = artifact.arrays()["weights"].astype(np.float64)
            return cls(weights, float(artifact.meta["sharpness"]), artifact.digest)

    def agents(self, speakers: Sequence[Sequence[str]]) -> tuple[list[bool], float]:
        """Say of each speaker (a list of turns; two speakers at least) whether they are an agent, and how sure that is.

        With more than two, each goes to the nearer of the surest agent and the surest customer.
        """
        scores = speaker_rows(speakers) @ self.weights
        most, least = float(scores.max()), float(scores.min())
        if most == least:
            return [number == 0 for number in range(len(speakers))], 0.5
        distance = scores - (most + least) / 2
        # As sure as of the least sure speaker; of two, both are as far from the middle.
        return [bool(far > 0) for far in distance], float(expit(self.sharpness * 2 * np.abs(distance).min()))


def assign(conversation: Conversation, model: RoleModel, agent: str | None = None) -> tuple[Conversation, Roles | None]:
    """Give every turn a role, and say how that was done.

    ``agent`` (a speaker's name or id) overrules everything, in conversations where somebody of that
    name speaks. Roles that the source gives stay; a speaker known from one turn keeps the role in
    others; where only one side is known, the rest are the other side. Where both are known, anybody else
    (a bot, a system's notices) is neither, and their turns keep None. Where nothing is known, it is inferred.
    Returns (conversation, None) where nothing can be inferred: one speaker and no role.
    """
    spoken: dict[str, list[str]] = {}
    given: dict[str, Role] = {}
    for turn in conversation.turns:
        name = _name(turn)
        spoken.setdefault(name, []).append(turn.text)
        if turn.role is not None:
            given[name] = turn.role
    if agent is not None and agent in spoken:
        said: dict[str, Role] = {name: "agent" if name == agent else "customer" for name in spoken}
        return _with_roles(conversation, said, overrule=True), Roles("overruled", (agent,), None, True)
    unknown = [name for name in spoken if name not in given]
    sides = set(given.values())
    if len(sides) == 1 and not unknown and len(spoken) > 1:
        # "User 1" and "User 2": several speakers who all bear the same role tell nothing about who is who.
        given, sides, conversation = {}, set(), _without_roles(conversation)
    if sides:
        rest: Role | None = "customer" if sides == {"agent"} else "agent" if sides == {"customer"} else None
        whole = _with_roles(conversation, {**dict.fromkeys(unknown, rest), **given})
        return whole, Roles("given", _agents(whole), None, True)
    if len(spoken) < 2:
        return conversation, None
    verdicts, probability = model.agents(list(spoken.values()))
    inferred: dict[str, Role] = {n: "agent" if v else "customer" for n, v in zip(spoken, verdicts, strict=True)}
    whole = _with_roles(conversation, inferred)
    return whole, Roles("inferred", _agents(whole), round(probability, 4), probability >= CONFIDENT)


def _name(turn: Turn) -> str:
    return turn.speaker if turn.speaker is not None else turn.role or ""


def _agents(conversation: Conversation) -> tuple[str, ...]:
    return tuple(dict.fromkeys(turn.speaker or "agent" for turn in conversation.turns if turn.role == "agent"))


def _without_roles(conversation: Conversation) -> Conversation:
    return replace(conversation, turns=tuple(replace(turn, role=None) for turn in conversation.turns))


def _with_roles(conversation: Conversation, said: Mapping[str, Role | None], *, overrule: bool = False) -> Conversation:
    turns = tuple(
        turn if turn.role is not None and not overrule else replace(turn, role=said[_name(turn)])
        for turn in conversation.turns
    )
    return replace(conversation, turns=turns)
