"""Each module knows only those above it in the layout of docs/architecture.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "convqa"
MODULES = sorted(SOURCE.rglob("*.py"))


def listed() -> list[str]:
    """The modules in the order of the layout, as docs/architecture.md lists them."""
    block = re.search(r"```text\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text("utf-8"), re.S)
    assert block, "docs/architecture.md has no layout block"
    folder = ""
    names = []
    for line in block[1].splitlines():
        name = re.match(r"( *)([\w/]+(?:\.py)?)\s", line + " ")
        assert name, line
        if not name[1]:
            folder = ""
        if name[2].endswith("/"):
            folder = name[2]
        elif name[2].endswith(".py"):
            names.append(folder + name[2])
    return names


def imports(path: Path) -> set[str]:
    """The convqa modules that a module imports, as paths below src/convqa."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            # `from package import module` is about the module; of anything else, the package itself is meant.
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _module(name) else node.module for name in whole]
        for name in names:
            if name.split(".")[0] == "convqa" and (module := _module(name)):
                found.add(module)
    return found - {path.relative_to(SOURCE).as_posix()}


def _module(name: str) -> str | None:
    parts = name.split(".")[1:]
    file = SOURCE.joinpath(*parts)
    if parts and file.with_suffix(".py").is_file():
        return file.with_suffix(".py").relative_to(SOURCE).as_posix()
    if file.is_dir() and (file / "__init__.py").is_file():
        return (file / "__init__.py").relative_to(SOURCE).as_posix()
    return None


def test_layout_lists_every_module() -> None:
    assert sorted(listed()) == [path.relative_to(SOURCE).as_posix() for path in MODULES]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_module_knows_only_those_above(path: Path) -> None:
    order = listed()
    here = order.index(path.relative_to(SOURCE).as_posix())
    below = {name for name in imports(path) if order.index(name) > here}
    # The command line loads the package's front lazily: its own help must not wait for spaCy.
    assert not below, f"{path.name} imports what stands below it: {sorted(below)}"


def test_scoring_needs_no_training_library() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & {"torch", "transformers", "datasets"}, path
