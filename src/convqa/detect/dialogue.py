"""The whole conversation: signals from who says how much and what is taken up, and two small classifiers on them.

``one_way_dialogue`` and ``ignored_request`` are each one logistic regression over ``MODEL_SIGNALS``,
trained by ``training/dialogue``; never on talk share alone. All signals go into the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from convqa.artifact import Artifact, complete, models_folder, open_artifact
from convqa.conversation import Turn
from convqa.detect import Probabilities
from convqa.labels import LANGUAGES

KIND = "dialogue-linear"
STEM = 6
"""Words are compared by so many first letters: a rough stem that holds in all five languages."""
CONTENT_LETTERS = 4
SAYS_SOMETHING = 3
"""Content words that make a customer turn something to take up."""
LOOK_BACK = 30
"""How many own earlier turns a customer's turn is compared with."""
BACK_CHANNEL_WORDS = 3
_MEANS = (
    "empathy",
    "active_listening",
    "dismissive",
    "pressure",
    "hostility",
    "blame",
    "solution",
    "courtesy",
    "distress",
    "repeated_request",
)
_MAXIMA = ("dismissive", "pressure", "hostility", "repeated_request", "solution", "commitment", "apology")

MODEL_SIGNALS = (
    "agent_word_share",
    "agent_turn_words",
    "longest_agent_turn_words",
    "longest_agent_run_words",
    "customer_turn_words",
    "turn_count",
    "uptake",
    "not_taken_up",
    "unanswered_questions",
    "customer_repeats_self",
    "agent_back_channels",
    "agent_questions",
    "late_gratitude",
    "late_solution",
    "pressure_after_request",
    "longest_silence_s",
    *(f"mean_{label}" for label in _MEANS),
    *(f"max_{label}" for label in _MAXIMA),
)
_NYNORSK: Final = frozenset(
    {"ikkje", "kvifor", "korleis", "noko", "nokon", "nokre", "nokor", "berre", "vere", "vore", "verte", "vart", "deira"}
    | {"desse", "dykk", "dykkar", "mykje", "meir", "mest", "heile", "sjølv", "saman", "etter", "mellom", "gjere"}
    | {"gjort", "gjer", "seie", "seier", "sagt", "kjem", "kome", "korkje", "anten", "slik", "slike", "difor", "medan"}
    | {"sidan", "kunne", "skulle", "ville", "måtte", "hadde", "frå", "utan", "heller"}
)
_TIMED = ("longest_silence_s", "agent_time_share", "longest_agent_turn_s", "overlap_s")
_LOGARITHMIC = {
    "agent_turn_words",
    "longest_agent_turn_words",
    "longest_agent_run_words",
    "customer_turn_words",
    "turn_count",
    "longest_silence_s",
}


@dataclass(frozen=True, slots=True)
class Detected:
    """Detected utterances of one conversation: which turn each is in, and its probabilities by label.

    ``turn_of`` has one turn index an utterance, ``probabilities`` the shape (utterances, labels).
    """

    turn_of: Sequence[int]
    probabilities: Probabilities
    labels: Sequence[str]


@cache
def _stop_words(language: str) -> frozenset[str]:
    """Return spaCy's list of words without content of their own (it has none for Nynorsk: Bokmål's and ours)."""
    if language not in LANGUAGES:
        return frozenset()
    listed = frozenset(import_module(f"spacy.lang.{'nb' if language == 'nn' else language}.stop_words").STOP_WORDS)
    return listed | _NYNORSK if language == "nn" else listed


def content(text: str, language: str) -> frozenset[str]:
    """Return the rough stems of a text's content words."""
    stop = _stop_words(language)
    words = (word.strip(".,;:!?\"'()»«…-") for word in text.lower().split())
    return frozenset(word[:STEM] for word in words if len(word) >= CONTENT_LETTERS and word not in stop)


def signals(turns: Sequence[Turn], detected: Detected, language: str) -> dict[str, float | None]:
    """Measure what agent and customer say; a signal that needs times is None without them.

    Shares and similarities are 0 to 1, ``*_words`` are words, ``*_s`` seconds.
    """
    spoken = [turn for turn in turns if turn.role is not None and turn.text.strip()]
    words = [len(turn.text.split()) for turn in spoken]
    agent = [number for turn, number in zip(spoken, words, strict=True) if turn.role == "agent"]
    customer = [number for turn, number in zip(spoken, words, strict=True) if turn.role == "customer"]
    said = [content(turn.text, language) for turn in spoken]
    found: dict[str, float | None] = {
        "agent_word_share": sum(agent) / max(1, sum(words)),
        "agent_turn_words": _mean(agent),
        "longest_agent_turn_words": float(max(agent, default=0)),
        "longest_agent_run_words": float(_longest_run(spoken, words)),
        "customer_turn_words": _mean(customer),
        "turn_count": float(len(spoken)),
        "agent_back_channels": _mean([number <= BACK_CHANNEL_WORDS for number in agent]),
        "agent_questions": _mean(["?" in turn.text for turn in spoken if turn.role == "agent"]),
        "customer_repeats_self": _repeats(spoken, said),
    }
    found |= _uptake(spoken, said)
    found |= _label_signals(turns, detected)
    found |= _times(spoken)
    return {name: None if value is None else round(float(value), 4) for name, value in found.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _longest_run(turns: Sequence[Turn], words: Sequence[int]) -> int:
    longest = run = 0
    for turn, number in zip(turns, words, strict=True):
        run = run + number if turn.role == "agent" else 0
        longest = max(longest, run)
    return longest


def _overlap(words: frozenset[str], others: frozenset[str]) -> float:
    return len(words & others) / len(words) if words else 0.0


def _repeats(turns: Sequence[Turn], said: Sequence[frozenset[str]]) -> float:
    """Return how much the most repetitive customer turn shares with an earlier one (Jaccard, 0 to 1)."""
    most = 0.0
    mine: list[frozenset[str]] = []
    for turn, words in zip(turns, said, strict=True):
        if turn.role != "customer" or len(words) < SAYS_SOMETHING:
            continue
        for before in mine[-LOOK_BACK:]:
            most = max(most, len(words & before) / len(words | before))
        mine.append(words)
    return most


def _uptake(turns: Sequence[Turn], said: Sequence[frozenset[str]]) -> dict[str, float | None]:
    """Measure how much of what the customer says comes back in the agent's next turn."""
    shares, questions = [], []
    for at, (turn, words) in enumerate(zip(turns, said, strict=True)):
        if turn.role != "customer":
            continue
        reply = next((n for n in range(at + 1, min(at + 4, len(turns))) if turns[n].role == "agent"), None)
        answered = reply is not None and bool(words & said[reply])
        if len(words) >= SAYS_SOMETHING and reply is not None:
            shares.append(_overlap(words, said[reply]))
        if "?" in turn.text and words:
            questions.append(answered)
    return {
        "uptake": _mean(shares),
        "not_taken_up": _mean([share == 0 for share in shares]),
        "unanswered_questions": _mean([not answered for answered in questions]),
    }


def _label_signals(turns: Sequence[Turn], detected: Detected) -> dict[str, float | None]:
    column = {label: n for n, label in enumerate(detected.labels)}
    turn_of = np.asarray(detected.turn_of, np.int64)
    role = np.array([turns[turn].role == "agent" for turn in turn_of], bool)
    p = detected.probabilities

    def of(label: str) -> NDArray[np.float64]:
        side = ~role if label in ("distress", "repeated_request", "gratitude") else role
        values: NDArray[np.float64] = p[side, column[label]]
        return values

    found: dict[str, float | None] = {}
    for label in _MEANS:
        found[f"mean_{label}"] = float(of(label).mean()) if len(of(label)) else 0.0
    for label in _MAXIMA:
        found[f"max_{label}"] = float(of(label).max(initial=0.0))
    late = np.arange(len(p)) >= 2 * len(p) // 3
    for label in ("gratitude", "solution"):
        found[f"late_{label}"] = float(p[late, column[label]].max(initial=0.0))
    request = p[:, column["repeated_request"]]
    asked = np.maximum.accumulate(np.concatenate([[0.0], request[:-1]])) if len(p) else request
    found["pressure_after_request"] = float((asked * p[:, column["pressure"]]).max(initial=0.0))
    return found


def _times(turns: Sequence[Turn]) -> dict[str, float | None]:
    """Measure silence, talk and overlap; None where a turn has no start and end."""
    spans = [(turn.start, turn.end, turn.role) for turn in turns if turn.start is not None and turn.end is not None]
    if len(spans) < len(turns) or not spans:
        return dict.fromkeys(_TIMED, None)
    silence = overlap = 0.0
    until = spans[0][0]
    for start, end, _ in spans:
        silence = max(silence, start - until)
        overlap += max(0.0, min(until, end) - start)
        until = max(until, end)
    talk = sum(end - start for start, end, _ in spans)
    mine = [end - start for start, end, role in spans if role == "agent"]
    return {
        "longest_silence_s": silence,
        "agent_time_share": sum(mine) / talk if talk > 0 else None,
        "longest_agent_turn_s": max(mine, default=0.0),
        "overlap_s": overlap,
    }


def model_row(found: Mapping[str, float | None]) -> NDArray[np.float64]:
    """Return the signals that the classifiers use, in order; NaN for what is not known."""
    row = []
    for name in MODEL_SIGNALS:
        value = found[name]
        row.append(np.nan if value is None else np.log1p(max(0.0, value)) if name in _LOGARITHMIC else value)
    return np.array(row, np.float64)


class DialogueDetector:
    """Logistic regressions over standardised signals.

    Arrays: ``mean`` and ``scale`` (signals), ``coefficients`` (signals, labels), ``intercepts`` (labels). An
    unknown signal counts as average.
    """

    def __init__(self, artifact: Artifact) -> None:
        arrays = artifact.arrays()
        self.name, self.digest = artifact.name, artifact.digest
        self.labels: tuple[str, ...] = tuple(artifact.meta["labels"])
        self.thresholds: dict[str, float] = dict(artifact.meta["thresholds"])
        self._mean, self._scale = arrays["mean"], arrays["scale"]
        self._coefficients, self._intercepts = arrays["coefficients"], arrays["intercepts"]

    @classmethod
    def load(cls, folder: Path | None = None) -> DialogueDetector:
        """Open a dialogue model's folder; the bundled one without an argument. Raises ModelError."""
        artifact = open_artifact(folder or models_folder() / "dialogue", KIND)
        with complete(artifact):
            return cls(artifact)

    def predict(self, found: Mapping[str, float | None]) -> dict[str, float]:
        """Return the probability of each conversation label, rounded to four decimals."""
        row = np.nan_to_num((model_row(found) - self._mean) / self._scale)
        probabilities = expit(row @ self._coefficients + self._intercepts)
        return {label: round(float(p), 4) for label, p in zip(self.labels, probabilities, strict=True)}
