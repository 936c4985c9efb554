"""Time the whole way (file read to record written) and each stage, and memory by number of conversations.

    python benchmarks/speed.py --out docs/speed.md
    python benchmarks/speed.py --convokit            # beside the peer, where convokit and en_core_web_sm are installed

Texts are the project's own conversations, repeated under new ids until there are enough; each copy's texts get a
running number, so that no two are equal. The clock holds wall time of one process; start-up (imports, model loading)
is timed apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEER = 132
"""Utterances a second of ConvoKit's politeness strategies, measured earlier on such a machine (2 cores)."""

MEMORY = """
import resource, sys
import convqa
from convqa.batch import deliver
from pathlib import Path
deliver(convqa.load().pipe(convqa.read(sys.argv[1])), out=Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def make(path: Path, number: int) -> int:
    """Write ``number`` conversations; returns how many utterances they hold."""
    originals = [
        json.loads(line)
        for file in sorted((ROOT / "data" / "conversations").glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    utterances = 0
    with path.open("w", encoding="utf-8") as out:
        for n in range(number):
            row = originals[(n * 37) % len(originals)]
            turns = []
            for turn in row["turns"]:
                utterances += len(turn["utterances"])
                text = " ".join(part["text"] for part in turn["utterances"])
                turns.append({"role": turn["role"], "text": f"{text} {n}" if n >= len(originals) else text})
            out.write(json.dumps({"id": f"c{n}", "channel": row["channel"], "turns": turns}, ensure_ascii=False) + "\n")
    return utterances


class Clock:
    """Adds up seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

    def each(self, stage: str, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.at(stage):
                item = next(items, None)
            if item is None:
                return
            yield item

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.at(stage):
                return function(*args, **kwargs)

        return timed


def by_stage(path: Path, folder: Path) -> tuple[dict[str, float], float]:
    """Return seconds by stage and for the whole way, read to written."""
    import convqa
    from convqa import scorer as way
    from convqa.batch import deliver

    loaded = convqa.load()
    list(loaded.pipe(convqa.read(ROOT / "src" / "convqa" / "samples")))  # warm: word lists, spaCy, Lingua
    clock = Clock()
    before = {name: getattr(way, name) for name in ("identify", "assign", "signals", "score", "phases")}
    for name, function in before.items():
        setattr(way, name, clock.wrap(STAGES[name], function))
    loaded.segmenter.segment_many = clock.wrap("segment", loaded.segmenter.segment_many)  # type: ignore[method-assign]
    loaded._detect = clock.wrap("detect", loaded._detect)  # type: ignore[method-assign]
    began = time.perf_counter()
    records = clock.each("the way between", loaded.pipe(clock.each("read", convqa.read(path))))
    deliver(records, out=folder / "records.jsonl")
    whole = time.perf_counter() - began
    for name, function in before.items():
        setattr(way, name, function)
    between = clock.seconds.pop("the way between")
    stages = sum(clock.seconds.values())
    clock.seconds["put records together"] = between - stages
    clock.seconds["write"] = whole - between
    return clock.seconds, whole


STAGES = {
    "identify": "language",
    "assign": "roles",
    "signals": "signals",
    "score": "score",
    "phases": "score",
}


def start_up() -> float:
    """Return seconds from nothing to the first record, in a new process."""
    conversation = (
        '{"id": "a", "turns": [{"role": "customer", "text": "Hei"}, {"role": "agent", "text": "Hei på deg"}]}'
    )
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "convqa", "score", "-", "-q"],
        input=conversation.encode(),
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def command(path: Path, folder: Path, workers: int) -> float:
    """Return seconds of ``convqa score`` in a new process, its start-up included."""
    out = str(folder / "command.jsonl")
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "convqa", "score", str(path), "-o", out, "-q", "--workers", str(workers)], check=True
    )
    return time.perf_counter() - began


def memory(path: Path, folder: Path) -> float:
    """Return the peak memory, MB, of a new process that scores a file."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path), str(folder / "memory.jsonl")],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def convokit(path: Path, most: int) -> float:
    """Return ConvoKit's politeness strategies' utterances a second on the first ``most`` utterances, same run."""
    import spacy
    from convokit import PolitenessStrategies, TextParser  # type: ignore[import-not-found]

    texts = []
    for line in path.open(encoding="utf-8"):
        texts += [turn["text"] for turn in json.loads(line)["turns"]]
        if len(texts) >= most:
            break
    nlp = spacy.load("en_core_web_sm")
    parser, strategies = TextParser(spacy_nlp=nlp), PolitenessStrategies()
    began = time.perf_counter()
    for text in texts[:most]:
        strategies.transform_utterance(parser.transform_utterance(text))
    return most / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=2000)
    parser.add_argument("--memory", type=int, nargs="*", default=[500, 5000])
    parser.add_argument("--convokit", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "conversations.jsonl"
        utterances = make(path, options.conversations)
        peer = convokit(path, 600) if options.convokit else None
        stages, whole = by_stage(path, folder)
        began = start_up()
        commands = {workers: command(path, folder, workers) for workers in (1, 2)}
        peaks = {}
        for number in options.memory:
            make(folder / "some.jsonl", number)
            peaks[number] = memory(folder / "some.jsonl", folder)
    rate = utterances / whole
    lines = [
        "# Speed and memory",
        "",
        f"`python benchmarks/speed.py` on {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; one process.",
        "The clock holds everything from opening the input (JSON Lines) to the written records; start-up is apart.",
        "Machines are noisy: read the shares and ratios.",
        "",
        f"{options.conversations} conversations, {utterances} utterances: **{rate:.0f} utterances a second**, "
        f"{options.conversations / whole:.0f} conversations a second; {rate / PEER:.0f} times the {PEER} a second of "
        "ConvoKit's politeness strategies (measured earlier on such a machine).",
        "",
        "| stage | seconds | share | utterances a second |",
        "|---|---|---|---|",
    ]
    for stage, seconds in sorted(stages.items(), key=lambda item: -item[1]):
        lines.append(f"| {stage} | {seconds:.2f} | {seconds / whole:.0%} | {utterances / seconds:.0f} |")
    lines.append(f"| whole way | {whole:.2f} | 100% | {rate:.0f} |")
    if peer is not None:
        lines += [
            "",
            f"In the same run ConvoKit's politeness strategies (with en_core_web_sm) did {peer:.0f} a second: "
            f"{rate / peer:.0f} times.",
        ]
    lines += ["", f"Start to first record, a new process: {began:.1f} s.", ""]
    lines += [
        f"The same file by `convqa score --workers {workers}`, start-up included: {seconds:.1f} s, "
        f"{utterances / seconds:.0f} utterances a second ({utterances / seconds / PEER:.0f} times)."
        for workers, seconds in commands.items()
    ]
    if peaks:
        lines += ["", "| conversations | peak memory, MB |", "|---|---|"]
        lines += [f"| {number} | {peak:.0f} |" for number, peak in peaks.items()]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
