"""The commands: each reads its options and hands on to a function that is callable from anywhere."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from convqa import __version__
from convqa.errors import ConvqaError, UsageError
from convqa.report import Record
from convqa.terminal import printable

PLAIN_SECONDS = 10.0
"""How often a run says how far it is where there is no terminal."""
DETECT_BATCH = 1000
SAID_OF_A_RULE = 50
"""So many problems of a kind are printed one by one; the rest are counted."""

app = typer.Typer(
    name="convqa",
    help="Explainable quality scores for customer conversations (nb nn da sv en), offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
rubric_app = typer.Typer(help="The scorecard: show the one in force, check your own.", no_args_is_help=True)
app.add_typer(rubric_app, name="rubric")
data_app = typer.Typer(help="Labelled data: check it, count it, read it.", no_args_is_help=True)
app.add_typer(data_app, name="data")


class Exit(IntEnum):
    """What the exit status says; for labelled data, 1 says that there are PROBLEMS in it."""

    ALL_SCORED = 0
    SOME_NOT_SCORED = 1
    PROBLEMS = SOME_NOT_SCORED
    WRONG_CALL = 2


Inputs = Annotated[
    list[str], typer.Argument(help="Files, folders, globs, or - for standard input.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
RubricOption = Annotated[Path | None, typer.Option("--rubric", help="A rubric's TOML file instead of the default one.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="A bundled model's name or a model's folder.")]
FolderArgument = Annotated[
    Path, typer.Argument(help="A data set's folder: conversations/*.jsonl, a file an author.", show_default=True)
]
LanguageOption = Annotated[
    str | None, typer.Option("--language", help="nb, nn, da, sv or en, instead of finding it out.")
]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"convqa {__version__}")
        raise typer.Exit


@app.command()
def score(
    inputs: Inputs,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Records to .jsonl, .csv or .parquet; standard output without.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML report.")] = None,
    model: ModelOption = None,
    rubric: RubricOption = None,
    language: LanguageOption = None,
    agent: Annotated[str | None, typer.Option(help="The speaker who is the agent, wherever they speak.")] = None,
    format: Annotated[str | None, typer.Option(help="The input's format, by its name in 'convqa formats'.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="A table's columns by field, like role=Avsender,text=Melding.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that score; each loads the models.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Score conversations: one record each, with the words that made the score."""
    import convqa
    from convqa.batch import deliver, in_parallel
    from convqa.write import check_target

    targets = [target for target in (out, report) if target is not None]
    for target in targets:
        check_target(target)
        _check_not_read(target, inputs)
    if len({target.resolve() for target in targets}) < len(targets):
        raise UsageError(f"{out}: is both --out and --report; give each a file of its own")
    options: dict[str, Any] = {"model": model, "rubric": rubric, "language": language, "agent": agent}
    # Loaded here in any case: what is wrong with the options is said once, before anything is read.
    scorer = convqa.load(**options)
    console = Console(stderr=True, quiet=quiet)
    with Watch(console) as watch:
        # What an earlier run wrote into an input folder is our own output, not a transcript.
        written = {target.resolve() for target in targets}
        read = convqa.read(*inputs, format=format, columns=_columns(columns), watch=watch.at)
        found = (item for item in read if Path(item.source or "").resolve() not in written)
        records = scorer.pipe(found) if workers == 1 else in_parallel(found, workers, options)
        summary = deliver(records, out=out, page=report, watch=watch.record)
    summarise(summary, console)
    if agent is not None and not summary.overruled:
        console.print(f"--agent: {agent!r} speaks in none of them", markup=False, highlight=False)
    raise typer.Exit(Exit.ALL_SCORED if summary.complete else Exit.SOME_NOT_SCORED)


@app.command()
def detect(
    file: Annotated[
        str, typer.Argument(help="JSON Lines with text (role, context, language); - for standard input.")
    ] = "-",
    model: ModelOption = None,
    language: LanguageOption = None,
) -> None:
    """Find labels in single utterances: JSON Lines in, label probabilities out, in the same order."""
    import convqa

    scorer = convqa.load(model, language=language)
    failed = False
    with _lines_of(file) as lines:
        numbered = enumerate(lines, 1)
        while batch := list(islice(((n, line) for n, line in numbered if line.strip()), DETECT_BATCH)):
            read = [_asked(file, number, line) for number, line in batch]
            found = iter(scorer.probabilities(row for row, error in read if error is None))
            for row, error in read:
                answer: dict[str, Any] = {"id": row.get("id")}
                if error is None:
                    labels = next(found)
                    answer |= {"labels": labels, "predicted": list(scorer.predicted(labels))}
                else:
                    failed = True
                    _complain(error)
                    answer["error"] = str(error)  # a line for each line, so that they align
                typer.echo(json.dumps(answer, ensure_ascii=False))
    raise typer.Exit(Exit.SOME_NOT_SCORED if failed else Exit.ALL_SCORED)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where results.jsonl and report.html go.")] = Path("demo"),
    quiet: Quiet = False,
) -> None:
    """Score the bundled sample conversations and write the report."""
    import convqa
    from convqa.batch import deliver

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: no folder can be made here: {error.strerror}") from error
    samples = Path(__file__).with_name("samples")
    console = Console(quiet=quiet)
    shown: list[Record] = []
    summary = deliver(
        _named(convqa.load().pipe(convqa.read(samples)), samples),
        out=folder / "results.jsonl",
        page=folder / "report.html",
        watch=shown.append,
    )
    console.print(_overview(shown))
    summarise(summary, console)
    console.print(f"\nRecords: {folder / 'results.jsonl'}\nReport:  {folder / 'report.html'} (open it in a browser)")
    raise typer.Exit(Exit.ALL_SCORED if summary.complete else Exit.SOME_NOT_SCORED)


@app.command()
def formats() -> None:
    """List the transcript formats that can be read."""
    from convqa.readers import formats as known

    table = Table("name", "what it is", "usual suffixes", box=None, header_style="bold")
    for format in known():
        table.add_row(format.name, format.title, " ".join(format.suffixes))
    Console().print(table)


@app.command()
def models() -> None:
    """List the models that are installed, with their measured figures."""
    from convqa.artifact import installed_models

    table = Table("folder", "name", "version", "size", "trained on", "held-out figure", box=None, header_style="bold")
    for model in installed_models():
        table.add_row(
            model.folder.name, model.name, model.version, f"{model.megabytes:.1f} MB", model.trained_on, model.headline
        )
    Console().print(table)


@rubric_app.command("show")
def rubric_show(
    path: Annotated[Path | None, typer.Argument(help="A rubric's TOML file; the default one without.")] = None,
) -> None:
    """Print the rubric in force, as it is written."""
    from convqa.rubric import load_rubric

    typer.echo(load_rubric(path).text.rstrip())


@rubric_app.command("check")
def rubric_check(path: Annotated[Path, typer.Argument(help="A rubric's TOML file.")]) -> None:
    """Check a rubric and say what is wrong in it, and where."""
    from convqa.rubric import load_rubric

    found = load_rubric(path)
    rubric = found.rubric
    weights = sum(criterion.weight for criterion in rubric.criterion)
    typer.echo(
        f"{path}: {found.name} is valid: {len(rubric.criterion)} criteria (weights add up to {weights:g}), "
        f"{len(rubric.cap)} caps, {len(rubric.flag)} flags, {len(rubric.band)} bands"
    )


@data_app.command("check")
def data_check(
    folder: FolderArgument = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Check labelled data: format, labels, roles, ids, splits, leakage, near-duplicates, language, balance."""
    from convqa.dataset import check, read_dataset

    dataset = read_dataset(folder)
    problems = check(dataset)
    console = Console(stderr=True)
    said = Counter[str]()
    for problem in problems:
        if problem.level == "error" or not quiet:
            said[problem.rule] += 1
            if said[problem.rule] <= SAID_OF_A_RULE:
                _say(str(problem), console)
    for rule, number in said.items():
        if number > SAID_OF_A_RULE:
            _say(f"… and {number - SAID_OF_A_RULE} more [{rule}]", console)
    errors = sum(problem.level == "error" for problem in problems)
    Console(quiet=quiet).print(
        f"{folder}: {_counted(len(dataset.conversations))}, {len(dataset.snippets)} snippets, {len(dataset.twice)} "
        f"labelled twice: {errors} error{'' if errors == 1 else 's'}, {len(problems) - errors} to look at",
        highlight=False,
        soft_wrap=True,
    )
    raise typer.Exit(Exit.PROBLEMS if errors else Exit.ALL_SCORED)


@data_app.command("stats")
def data_stats(
    folder: FolderArgument = Path("data"),
    as_json: Annotated[bool, typer.Option("--json", help="All counts as one JSON object.")] = False,
) -> None:
    """Count labelled data: the tables of the data set's card."""
    from dataclasses import asdict

    from convqa.dataset import read_dataset, stats

    dataset = read_dataset(folder)
    for error in dataset.errors:
        _complain(error)
    counts = stats(dataset)
    if as_json:
        typer.echo(json.dumps({name: value for name, value in asdict(counts).items() if name != "tables"}))
        raise typer.Exit(Exit.PROBLEMS if dataset.errors else Exit.ALL_SCORED)
    console = Console()
    console.print(
        f"{_counted(counts.conversations)} by {counts.authors} authors, {counts.agent_utterances} agent and "
        f"{counts.customer_utterances} customer utterances; {counts.snippets} snippets; {counts.one_way} one-way, "
        f"{counts.ignored_request} with an ignored request, {counts.company} in the manner of company agents",
        highlight=False,
        soft_wrap=True,
    )
    for table in counts.tables:
        drawn = Table(title=table.title, title_justify="left", box=None, header_style="bold")
        for number, name in enumerate(table.header):
            drawn.add_column(name, justify="right" if number else "left", overflow="fold")
        for row in table.rows:
            drawn.add_row(*row)
        console.print()
        console.print(drawn)
    raise typer.Exit(Exit.PROBLEMS if dataset.errors else Exit.ALL_SCORED)


@data_app.command("show")
def data_show(
    folder: FolderArgument = Path("data"),
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Only the conversation with this id; may be repeated.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Only this language: nb, nn, da, sv or en.")] = None,
    label: Annotated[str | None, typer.Option(help="Only conversations in which this label occurs.")] = None,
    author: Annotated[str | None, typer.Option(help="Only this author's, by the file's name, like a11.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split: train, validation or test.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="The draw's seed.")] = 0,
) -> None:
    """Print labelled conversations as a person reads them, each utterance with its labels."""
    import random

    from convqa.dataset import read_dataset, show
    from convqa.dataset.folder import SPLITS
    from convqa.labels import LANGUAGES, UTTERANCE_LABELS

    for option, value, known in (
        ("--language", language, LANGUAGES),
        ("--label", label, UTTERANCE_LABELS),
        ("--split", split, SPLITS),
    ):
        if value is not None and value not in known:
            raise UsageError(f"{option}: {value!r} is not known; one of {', '.join(known)} would do")
    dataset = read_dataset(folder)
    for error in dataset.errors:
        _complain(error)
    here = {item.conversation.id for item in dataset.conversations}
    if missing := [one for one in ids or () if one not in here]:
        raise UsageError(f"--id: {folder} holds no {', '.join(missing)}")
    authors = sorted({item.author for item in dataset.conversations})
    if author is not None and author not in authors:
        raise UsageError(f"--author: {author!r} is not here; one of {', '.join(authors)} would do")
    chosen = [
        item
        for item in dataset.conversations
        if (not ids or item.conversation.id in ids)
        and language in (None, item.conversation.language)
        and author in (None, item.author)
        and split in (None, item.split)
        and (label is None or any(label in said.labels for _, said in item.conversation.lines()))
    ]
    if not chosen:
        raise UsageError(f"{folder}: holds no such conversation, of {len(dataset.conversations)}")
    if sample is not None:
        chosen = random.Random(seed).sample(chosen, min(sample, len(chosen)))  # noqa: S311 - a sample, no secret
    console = Console(soft_wrap=True, highlight=False)
    for item in chosen:
        for line in show(item):
            console.print(line)
    raise typer.Exit(Exit.PROBLEMS if dataset.errors else Exit.ALL_SCORED)


class Watch:
    """Shows how far a run is: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.errors = Console(stderr=True) if console.quiet else console  # what could not be scored is said even then
        self.done = 0
        self._began = self._said = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]} conversations, {task.fields[rate]}/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal or console.quiet,
        )
        self._task = self._bar.add_task("Scoring", total=None, done=0, rate="–")

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def at(self, position: int, total: int) -> None:
        """Note how many bytes of all inputs have been read (0 total: not known)."""
        self._bar.update(self._task, completed=position, total=total or None)

    def record(self, record: Record) -> None:
        """Count a record; say on standard error what could not be scored."""
        self.done += 1
        if record.status != "scored":
            where = record.id if record.status == "skipped" else ""
            source = f"{record.source}, " if record.status == "skipped" and record.source else ""
            _say(f"{record.status}: {source}{where}{': ' if where else ''}{record.reason}", self.errors)
        now = time.monotonic()
        rate = self.done / max(now - self._began, 1e-9)
        self._bar.update(self._task, done=self.done, rate=f"{rate:.0f}")
        if not self.console.is_terminal and now - self._said >= PLAIN_SECONDS:
            self._said = now
            self.console.print(f"{_counted(self.done)}, {rate:.1f}/s", highlight=False)


def summarise(summary: Any, console: Console) -> None:
    """Print what a run came to."""
    status = summary.status
    parts = [f"{status['scored']} scored"] + [
        f"{status[name]} {name}" for name in ("skipped", "failed") if status[name]
    ]
    console.print(f"{_counted(summary.total)}: {', '.join(parts)}", highlight=False)
    if summary.scores.mean is not None:
        bands = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in summary.bands.most_common())
        console.print(
            f"mean score {summary.scores.mean:.1f}, median {summary.scores.median:.1f}; {bands}", highlight=False
        )
    if summary.flags:
        flags = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in summary.flags.most_common())
        console.print(f"flagged: {flags}", highlight=False)
    if summary.unsure_roles:
        console.print(
            f"{summary.unsure_roles} with an inferred agent that is not certain (roles.confident is false); "
            "--agent says who it is",
            highlight=False,
        )


def _counted(number: int) -> str:
    return f"{number} conversation{'' if number == 1 else 's'}"


def _overview(records: Iterable[Record]) -> Table:
    table = Table("score", "band", "lang", "channel", "conversation", "flags", box=None, header_style="bold")
    table.columns[0].justify = "right"
    for column in table.columns:
        column.no_wrap = True
    for record in sorted(records, key=lambda record: (record.score is None, record.score)):
        table.add_row(
            "–" if record.score is None else f"{record.score:.1f}",
            (record.band or record.status).replace("_", " "),
            record.language or "",
            record.channel or "",
            record.id,
            _first_flags([flag.name.replace("_", " ") for flag in record.flags]),
        )
    return table


def _first_flags(names: list[str]) -> str:
    return ", ".join(names[:1]) + (f" +{len(names) - 1}" if len(names) > 1 else "")


def _named(records: Iterable[Record], folder: Path) -> Iterator[Record]:
    """Name sources from the samples' folder on, so that the demo's records are the same on every machine."""
    from dataclasses import replace

    for record in records:
        source = Path(record.source).relative_to(folder).as_posix() if record.source else None
        yield replace(record, source=source)


def _check_not_read(target: Path, inputs: Iterable[str]) -> None:
    """Raise UsageError where writing would replace what is to be read."""
    if any(target.exists() and Path(name).exists() and target.samefile(name) for name in inputs):
        raise UsageError(f"{target}: is one of the inputs and would be overwritten; write elsewhere")


def _columns(text: str | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in (text or "").split(",") if pair.strip()]
    if bad := [field for field, equals, _ in pairs if not equals]:
        raise UsageError(f"--columns: {bad[0]!r} has no '='; write field=column, like role=Avsender,text=Melding")
    return {field.strip(): column.strip() for field, _, column in pairs}


def _lines_of(file: str) -> TextIO:
    if file == "-":
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")  # type: ignore[union-attr]
        return sys.stdin
    try:
        return Path(file).open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"{file}: cannot be opened: {error.strerror}") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _asked(file: str, number: int, line: str) -> tuple[dict[str, Any], UsageError | None]:
    """Read and check one line of ``detect``; returns what could be read of it, and what is wrong."""
    from convqa.scorer import check_asked

    place = f"{'standard input' if file == '-' else file}, line {number}"
    try:
        row = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return {}, UsageError(f"{place}: not valid JSON: {error}")
    if not isinstance(row, dict):
        return {}, UsageError(f'{place}: is {type(row).__name__}; an object like {{"text": …}} is wanted')
    try:
        check_asked(row)
    except UsageError as error:
        return row, UsageError(f"{place}: {error}")
    return row, None


def _say(text: str, console: Console) -> None:
    """Print a line that holds other people's names and words: nothing in it may steer the terminal."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _complain(error: object) -> None:
    _say(f"convqa: {error}", Console(stderr=True))


def main() -> None:
    """Run the command line; what is wrong with a call is said in one line, with exit status 2."""
    try:
        app()
    except ConvqaError as error:
        _complain(error)
        sys.exit(Exit.WRONG_CALL)
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        # The reader of our output has gone, as `head` does: nothing is wrong, though typer would say 1.
        sys.exit(Exit.ALL_SCORED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _complain(f"{place}{error.strerror or error}")
        sys.exit(Exit.WRONG_CALL)
