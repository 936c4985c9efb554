"""Many conversations on this machine: records on their way to a file, a report and a count of what happened."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from convqa.conversation import Conversation, Unreadable
from convqa.page import ReportPage
from convqa.page.tally import ScoreCount
from convqa.report import Record
from convqa.scorer import Scorer, batches, load
from convqa.write import open_writer


class Sink(Protocol):
    """Where records go."""

    def __call__(self, record: Record, /) -> object:
        """Take one record."""
        ...


@dataclass(slots=True)
class Summary:
    """What a run came to, in flat memory."""

    status: Counter[str] = field(default_factory=Counter)
    bands: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    unsure_roles: int = 0
    overruled: int = 0
    scores: ScoreCount = field(default_factory=ScoreCount)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.status[record.status] += 1
        if record.score is not None and record.band is not None:
            self.bands[record.band] += 1
            self.scores.add(record.score)
        self.flags.update({flag.name for flag in record.flags})
        self.unsure_roles += record.roles is not None and not record.roles.confident
        self.overruled += record.roles is not None and record.roles.origin == "overruled"

    @property
    def total(self) -> int:
        """All conversations met."""
        return self.status.total()

    @property
    def complete(self) -> bool:
        """Whether every conversation was scored."""
        return self.status["scored"] == self.total


_scorer: Scorer | None = None


def _load(options: Mapping[str, Any]) -> None:
    global _scorer
    _scorer = load(**options)


def _score(batch: list[Conversation | Unreadable]) -> list[Record]:
    if _scorer is None:
        raise AssertionError("the worker was started without its scorer")
    return list(_scorer.pipe(batch))


def in_parallel(
    conversations: Iterable[Conversation | Unreadable], workers: int, options: Mapping[str, Any]
) -> Iterator[Record]:
    """Score in ``workers`` processes and yield the records in the order of the conversations.

    ``options`` are those of ``convqa.load``; each process loads its own scorer. Only a few batches are under way
    at once, so that memory stays flat.
    """
    # Started fresh instead of forked: the libraries underneath hold locks and threads that do not survive a fork.
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_load, initargs=(options,)) as pool:
        waiting: deque[Future[list[Record]]] = deque()
        for batch in batches(conversations):
            waiting.append(pool.submit(_score, batch))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def deliver(
    records: Iterable[Record],
    *,
    out: Path | None,
    page: Path | None = None,
    watch: Callable[[Record], None] = lambda record: None,
) -> Summary:
    """Write records to ``out`` (None: standard output) and into a report page; returns what happened.

    ``watch`` sees every record after it was written. Raises UsageError where a target cannot be written.
    """
    summary = Summary()
    with ExitStack() as stack:
        sinks: list[Sink] = [stack.enter_context(open_writer(out)).write]
        if page is not None:
            sinks.append(stack.enter_context(ReportPage(page)).add)
        for record in records:
            for sink in sinks:
                sink(record)
            summary.add(record)
            watch(record)
    return summary
