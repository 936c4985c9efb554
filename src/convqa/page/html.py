"""The report as one HTML file that needs nothing else: no script, no network, no fonts to fetch."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import jinja2

from convqa.page import words
from convqa.page.tally import Tally
from convqa.page.view import ConversationView, view
from convqa.report import Record
from convqa.write import check_target, replacing

OPEN_AT_FIRST: Final = 3
"""Conversations that are unfolded when the page is opened."""

_FILTERS: Final = {
    "words": words.words,
    "band": words.band_words,
    "language": words.language_words,
    "number": words.number,
    "percent": words.percent,
    "count": words.count,
    "shortened": words.shortened,
    "listed": words.listed,
}


class ReportPage:
    """Gathers records and, when its ``with`` block ends well, writes the report.

    >>> with ReportPage("report.html", title="Calls in week 44") as page:  # doctest: +SKIP
    ...     for record in records:
    ...         page.add(record)

    All records are counted; at most ``limit`` conversations are shown in full: those with the gravest
    flag first, then those with the lowest score. Memory depends on ``limit``, not on the number of
    records. The same records in the same order give the same bytes.

    Raises UsageError, before any work, where ``path`` cannot be written.
    """

    def __init__(self, path: Path | str, *, title: str = "Conversation quality", limit: int = 200) -> None:
        """Nothing is written before the ``with`` block ends."""
        self._path = Path(path)
        self._title = title
        self._limit = limit
        self._tally = Tally()
        # The least urgent of the kept conversations comes first. The order of arrival, unlike any
        # other, settles ties, so that two records are never compared.
        self._shown: list[tuple[int, float, int, Record]] = []
        check_target(self._path)

    def add(self, record: Record) -> None:
        """Count one record, and keep it where it is among the most urgent."""
        self._tally.add(record)
        if record.status != "scored" or record.score is None:
            return
        gravest = max((_GRAVITY[flag.severity] for flag in record.flags), default=0)
        entry = (gravest, -record.score, -self._tally.conversations, record)
        if len(self._shown) < self._limit:
            heapq.heappush(self._shown, entry)
        elif self._shown:
            heapq.heappushpop(self._shown, entry)

    def __enter__(self) -> Self:
        """Ready for ``add``."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the report, unless an exception ended the block."""
        if error is None:
            self._write()

    def _write(self) -> None:
        stream = (
            _environment()
            .get_template("page.html")
            .stream(
                title=self._title,
                tally=self._tally,
                shown=len(self._shown),
                conversations=self._views(),
                open_at_first=OPEN_AT_FIRST,
            )
        )
        stream.enable_buffering(200)
        with replacing(self._path) as file:
            stream.dump(file, encoding="utf-8")

    def _views(self) -> Iterator[ConversationView]:
        for number, (*_, record) in enumerate(sorted(self._shown, reverse=True), 1):
            yield view(record, number)


_GRAVITY = {"notice": 1, "warning": 2, "critical": 3}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("convqa.page"),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _FILTERS
    return environment


def _visible(value: Any) -> Any:
    """What every value goes through on its way into the page, before it is escaped."""
    return words.visible(value) if type(value) is str else value
