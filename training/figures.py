"""Thresholds, bootstrap intervals and tables, the same for every recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLES = 500


def best_threshold(values: NDArray[np.bool_], probabilities: NDArray[np.float64], beta: float = 1.0) -> float:
    """Return the probability from which on 'yes' gives the highest F-beta (below 1: being right counts more)."""
    order = np.argsort(-probabilities, kind="stable")
    hits = np.cumsum(values[order])
    f = (1 + beta**2) * hits / (np.arange(1, len(order) + 1) + beta**2 * values.sum())
    # Only where the next probability is lower is a cut possible.
    possible = np.append(np.diff(probabilities[order]) < 0, True)
    return float(probabilities[order][int(np.argmax(np.where(possible, f, -1.0)))])


def bootstrap_f1(
    values: NDArray[np.bool_], predicted: NDArray[np.bool_], group: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return bootstrap samples (over groups: conversations) of the F1 averaged over columns, shape (SAMPLES,).

    ``values`` and ``predicted`` have shape (rows, labels).
    """
    _, index = np.unique(group, return_inverse=True)
    size = int(index.max()) + 1 if len(index) else 0
    if not size:
        return np.zeros(SAMPLES)
    counts = np.zeros((3, size, values.shape[1]))
    for kind, rows in enumerate((values & predicted, values, predicted)):
        np.add.at(counts[kind], index, rows)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(size, np.full(size, 1 / size), SAMPLES)
    both, true, said = (drawn @ count for count in counts)
    f1: NDArray[np.float64] = (2 * both / np.maximum(true + said, 1)).mean(axis=1)
    return f1


def interval(samples: NDArray[np.float64]) -> list[float]:
    """Return the 95 % interval of bootstrap samples, rounded."""
    low, high = np.quantile(samples, [0.025, 0.975])
    return [round(float(low), 3), round(float(high), 3)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def fill(template: Path, **values: object) -> str:
    """Return a page's template with its figures put in."""
    return template.read_text("utf-8").format(**values)


def share_interval(right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of yes answers."""
    n, z = len(right), 1.959964
    share = float(right.mean())
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return round(middle - half, 4), round(middle + half, 4)


def bootstrap(size: int, statistic: Callable[[NDArray[np.int64]], float]) -> NDArray[np.float64]:
    """Return bootstrap samples of a statistic of row numbers drawn with replacement, shape (SAMPLES,)."""
    rng = np.random.default_rng(0)
    return np.array([statistic(rng.integers(0, size, size)) for _ in range(SAMPLES)])


def with_interval(value: float, ends: Sequence[float]) -> str:
    """Return a figure with its interval, as cards write it."""
    return f"{value:.3f} ({ends[0]:.3f}–{ends[1]:.3f})"
