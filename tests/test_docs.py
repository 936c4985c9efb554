"""What the documentation says, done: its commands, its Python, its examples, its links."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convqa
from commands import Run
from convqa.rubric import default_path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import make_cli  # noqa: E402

SAMPLES = Path(convqa.__file__).with_name("samples")
PAGES = sorted(
    [
        *(
            ROOT / name
            for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "training/README.md", "data/README.md")
        ),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("models/*/README.md"),
        *ROOT.glob("training/*/README.md"),
    ]
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)

# Commands that are not run here, and what runs them instead.
NOT_RUN = {
    "make demo": ".ci/run",
    "make test": ".ci/run, and it is this",
    "make lint": ".ci/run",
    "git clone <repository> convqa && cd convqa": "whoever reads this has done so",
    "python training/baseline.py": "test_training.py, with a slice of the data",
    "python training/learning_curve.py": "make models; test_training.py, with a slice of the data",
    "python training/data_card.py": "make models",
    "python training/segmenter/train.py --public PATH": "make models; training/segmenter",
    "python training/utterances/train.py": "test_training.py, with a slice of the data",
    "python training/dialogue/train.py": "test_training.py",
    "python training/roles/train.py": "test_training.py",
    "python training/language/evaluate.py": "make models",
    "python training/real_chats.py PATH": "needs a public set that is not part of the project",
}


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and text of every fenced block of a language."""
    return [
        (page.relative_to(ROOT).as_posix(), text)
        for page in PAGES
        for named, text in BLOCK.findall(page.read_text("utf-8"))
        if named == language
    ]


def commands() -> list[str]:
    """Every command that a console block shows, once."""
    lines = [line for _, text in blocks("console") for line in text.splitlines() if line.startswith("$ ")]
    return list(dict.fromkeys(re.sub(r"\s+# .*", "", line[2:]).strip() for line in lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the documentation speaks of."""
    (tmp_path / "calls").mkdir()
    for name in ("calls-nb.jsonl", "call-en.json", "call-sv.vtt", "email-en.txt"):
        shutil.copy(SAMPLES / name, tmp_path / "calls")
    (tmp_path / "export.csv").write_text(
        "Samtale-ID;Avsender;Melding\n"
        "1;Kunde;Hei, jeg har ventet i tre uker på svar om fakturaen min.\n"
        "1;Kundebehandler;Det er altfor lenge, det beklager jeg. Jeg ser på den nå.\n"
        "1;Kunde;Takk skal du ha.\n",
        "utf-8",
    )
    turns = [
        {"speaker": "spk_0", "text": "Velkommen til Lysvak, du snakker med Mona. Hva gjelder det?"},
        {"speaker": "spk_1", "text": "Nettet har vært borte siden søndag kveld."},
    ]
    (tmp_path / "call.json").write_text(json.dumps({"id": "call", "turns": turns}, indent=1))
    shutil.copy(default_path(), tmp_path / "my-rubric.toml")
    for name in ("src", "data", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def arguments(command: str, folder: Path) -> tuple[list[str], bytes]:
    """Let a shell take a command apart; a stand-in for convqa notes what it is called with and given to read."""
    bin = folder / ".bin"
    bin.mkdir()
    (bin / "convqa").write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > {bin}/arguments\ncat > {bin}/stdin\n")
    (bin / "convqa").chmod(0o755)
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": f"{bin}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        check=True,
    )
    words, given = (bin / "arguments").read_text("utf-8"), (bin / "stdin").read_bytes()
    shutil.rmtree(bin)
    return words.split("\0")[:-1], given


@pytest.mark.parametrize("command", [command for command in commands() if command not in NOT_RUN])
def test_every_command_does_what_it_says(command: str, folder: Path, run: Run) -> None:
    assert re.search(r"(^|\| )convqa [^|;&]*$", command), "only a command that ends in convqa's own call can be tested"
    words, given = arguments(command, folder)
    ran = run(*words, stdin=given)
    assert (ran.status, "Traceback" in ran.err) == (0, False), ran.err
    for option in ("-o", "--report"):
        if option in words:
            assert (folder / words[words.index(option) + 1]).stat().st_size > 0


def test_no_command_is_excused_that_nobody_mentions() -> None:
    assert set(NOT_RUN) - set(commands()) == set()
    assert len(commands()) > len(NOT_RUN)


@pytest.mark.parametrize(("page", "text"), blocks("python"), ids=lambda value: value if value.endswith(".md") else "")
def test_every_python_block_runs(page: str, text: str, folder: Path, run: Run) -> None:
    # run: for its folder, and for scorers that are loaded once
    exec(compile(text, page, "exec"), {"__name__": "example"})  # noqa: S102


def link_targets(page: Path) -> list[str]:
    """The relative links of a page, outside of fenced blocks."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return [to for to in re.findall(r"\]\(([^()\s]+)\)", prose) if not re.match(r"[a-z]+:", to)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in link_targets(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_commands_page_is_what_the_commands_say() -> None:
    written = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert written == make_cli.page(), "run: python docs/make_cli.py"


def test_every_command_is_shown_in_use() -> None:
    shown = "\n".join(commands())
    names = [name for name, _ in make_cli.commands(make_cli.get_command(make_cli.app), "convqa")]
    assert {name for name in names if name not in shown} <= {
        "convqa models",
        "convqa demo",
    }  # in the text, and `make demo`


EXAMPLE = re.compile(r"<!-- (\S+) -->\n```\w+\n(.*?)```\n\n```text\n(.*?)```", re.S)
EXAMPLES = EXAMPLE.findall((ROOT / "docs" / "formats.md").read_text("utf-8"))


def told(found: convqa.Conversation | convqa.Unreadable) -> str:
    """A conversation as docs/formats.md shows it."""
    if isinstance(found, convqa.Unreadable):
        return f"{found.id}: failed at {found.place}: {found.reason}"
    about = [found.language or "language not told", found.channel or "channel not told"]
    if found.metadata:
        about.append(json.dumps(found.metadata, ensure_ascii=False))
    lines = [f"{found.id}: {', '.join(about)}"]
    for turn in found.turns:
        speaker = f" ({turn.speaker})" if turn.speaker else ""
        end = "?" if turn.end is None else f"{turn.end:g}"
        times = "" if turn.start is None else f" {turn.start:g}–{end} s"
        text = turn.text.replace("\n", " / ")
        lines.append(f"  {turn.role or '?'}{speaker}{times}: {text}")
    return "\n".join(lines)


@pytest.mark.parametrize(("name", "content", "expected"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_every_example_of_a_format_is_read_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content, "utf-8")
    assert "\n".join(map(told, convqa.read(name))) + "\n" == expected


def test_every_format_has_a_section() -> None:
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for format in convqa.readers.formats():
        assert re.search(rf"^## .*`{format.name}`", page, re.M), format.name
