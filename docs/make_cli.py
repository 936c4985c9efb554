"""Write docs/cli.md from the commands' own help.

python docs/make_cli.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from convqa.cli import app

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# Commands

Made from the commands' own help by `python docs/make_cli.py`; a test keeps it so.

Exit status: 0 everything scored or answered; 1 some was not, each named with file, place and reason on standard error
and in the records; 2 the call itself was wrong, told in one line.
"""


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Give every command below a group, with the words that call it."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def section(name: str, command: Any) -> str:
    """Return a command's part of the page."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    call = " ".join([name, *("[OPTIONS]" for _ in options[:1]), *map(_place, arguments)])
    rows = [(f"`{p.name.upper()}`", p) for p in arguments] + [
        (" ".join(f"`{name}`" for name in sorted(p.opts, key=len, reverse=True)), p) for p in options
    ]
    table = [f"| {shown} | {p.help}{_default(p)} |" for shown, p in rows]
    return "\n".join(
        [
            f"## {name}",
            "",
            command.help.strip(),
            "",
            "```text",
            call,
            "```",
            *(["", "| | |", "|---|---|", *table] if table else []),
        ]
    )


def _place(argument: Any) -> str:
    shown = f"{argument.name.upper()}{'...' if argument.nargs == -1 else ''}"
    return shown if argument.required else f"[{shown}]"


def _default(parameter: Any) -> str:
    if parameter.default in (None, False, ()) or callable(parameter.default):
        return ""
    return f" Default: `{parameter.default}`."


def page() -> str:
    """Return the whole page."""
    root = get_command(app)
    return "\n\n".join([HEAD.strip(), *(section(name, command) for name, command in commands(root, "convqa"))]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8", newline="\n")
