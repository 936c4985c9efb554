"""How far two annotators agree who did not see each other's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from convqa.dataset.records import TwiceLabelled
from convqa.labels import AGENT_LABELS, UTTERANCE_LABELS

SAMPLES = 500
Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """One label's agreement over utterances.

    ``kappa`` is Cohen's (1960), ``f1`` what one annotator reaches on the other (the same both ways round), each None
    where it is not defined; ``intervals`` are 95 %, by bootstrap over conversations; ``first`` and ``second`` count the
    utterances to which each gave the label.
    """

    label: str
    kappa: float | None
    kappa_interval: tuple[float, float] | None
    f1: float | None
    f1_interval: tuple[float, float] | None
    first: int
    second: int


def agreement(twice: Sequence[TwiceLabelled], roles: Sequence[Sequence[str]]) -> list[Agreement]:
    """Compare both annotators of ``twice`` label by label; ``roles`` say who speaks each utterance.

    Returns one Agreement for each of the 16 utterance labels, in their order.
    """
    found = []
    for label in UTTERANCE_LABELS:
        side = "agent" if label in AGENT_LABELS else "customer"
        table = np.zeros((len(twice), 4))  # both, first only, second only, neither
        for row, (item, spoken) in enumerate(zip(twice, roles, strict=True)):
            for role, one, two in zip(spoken, item.first.labels, item.second.labels, strict=True):
                if role == side:
                    table[row, (0 if label in two else 1) if label in one else (2 if label in two else 3)] += 1
        found.append(_compared(label, table))
    return found


def cohen_kappa(pairs: Sequence[tuple[object, object]]) -> float | None:
    """Return Cohen's kappa of two annotators' answers, of any number of kinds; None where it is not defined."""
    kinds = sorted({str(answer) for pair in pairs for answer in pair})
    if len(kinds) < 2:  # nothing to agree on beyond chance
        return None
    one, two = ([str(pair[side]) for pair in pairs] for side in (0, 1))
    return float(cohen_kappa_score(one, two, labels=kinds))


def _compared(label: str, table: Counts) -> Agreement:
    total = table.sum(axis=0, keepdims=True)
    kappa, f1 = _kappa(total)[0], _f1(total)[0]
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), SAMPLES) @ table
    return Agreement(
        label,
        None if np.isnan(kappa) else round(float(kappa), 3),
        _interval(_kappa(drawn)),
        None if np.isnan(f1) else round(float(f1), 3),
        _interval(_f1(drawn)),
        int(total[0, 0] + total[0, 1]),
        int(total[0, 0] + total[0, 2]),
    )


def _kappa(table: Counts) -> Counts:
    both, first, second, neither = table.T
    n = table.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (both + neither) / n
        expected = ((both + first) * (both + second) + (neither + first) * (neither + second)) / n**2
        return np.asarray((observed - expected) / (1 - expected))


def _f1(table: Counts) -> Counts:
    both, first, second, _ = table.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * both / (2 * both + first + second))


def _interval(samples: Counts) -> tuple[float, float] | None:
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)
