"""Labelled data sets: read with places in their errors, checked, counted, shown, and two annotators compared."""

from __future__ import annotations

from convqa.dataset.agreement import Agreement, agreement
from convqa.dataset.check import Problem, check
from convqa.dataset.folder import Dataset, read_dataset
from convqa.dataset.records import LabelledConversation, LabelledTurn, LabelledUtterance, Snippet
from convqa.dataset.show import show
from convqa.dataset.stats import Counts, stats

__all__ = [
    "Agreement",
    "Counts",
    "Dataset",
    "LabelledConversation",
    "LabelledTurn",
    "LabelledUtterance",
    "Problem",
    "Snippet",
    "agreement",
    "check",
    "read_dataset",
    "show",
    "stats",
]
