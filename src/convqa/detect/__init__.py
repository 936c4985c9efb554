"""From utterances to label probabilities: the protocol that every detector follows.

The n-gram model (``convqa.detect.ngram``) is one implementation; a fine-tuned transformer is
another. Everything after detection sees only this protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from convqa.labels import LABELS_OF_ROLE, ROLES, Role

Probabilities = NDArray[np.float64]

LOOK_BACK = 6
"""How many earlier utterances a line's context holds at most."""


@dataclass(frozen=True, slots=True)
class Line:
    """An utterance as detectors see it: the words, who said them and what was said before.

    ``context`` holds the utterances just before, oldest first, as (role, text); ``position`` is the
    share of the conversation's utterances that came before (0 to 1), None where it is not known.
    """

    text: str
    role: Role | None = None
    context: tuple[tuple[Role | None, str], ...] = ()
    position: float | None = None


class Detector(Protocol):
    """Anything with labels, thresholds and ``predict_proba`` can detect.

    ``name`` is name and version, ``digest`` the SHA-256 of what was loaded: both go into records.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - said above

    @property
    def digest(self) -> str: ...  # noqa: D102

    @property
    def labels(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def thresholds(self) -> Mapping[str, float]: ...  # noqa: D102

    def predict_proba(self, lines: Sequence[Line]) -> Probabilities:
        """Return calibrated probabilities, shape (len(lines), len(labels)), in the order of ``lines``.

        A line's result must not depend on the lines beside it.
        """
        ...


def allowed(labels: Sequence[str], roles: Sequence[Role | None]) -> NDArray[np.bool_]:
    """Say which labels each role can carry, shape (len(roles), len(labels)); an unknown role, all."""
    everything = np.ones(len(labels), bool)
    theirs = {role: np.array([label in LABELS_OF_ROLE[role] for label in labels], bool) for role in ROLES}
    return np.array([everything if role is None else theirs[role] for role in roles], bool).reshape(-1, len(labels))


def surest_first(labels: Sequence[str], row: Probabilities) -> dict[str, float]:
    """Return label -> probability, rounded to four decimals as records keep them, the surest first."""
    rounded = ((label, round(float(p), 4)) for label, p in zip(labels, row, strict=True))
    return dict(sorted(rounded, key=lambda item: (-item[1], item[0])))
