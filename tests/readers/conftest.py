from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convqa.conversation import Conversation, Unreadable
from convqa.readers import read

DATA = Path(__file__).parent / "data"


@pytest.fixture
def data() -> Path:
    return DATA


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write text (or bytes) to a file and return its path."""

    def write(name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


@pytest.fixture
def one() -> Callable[..., Conversation]:
    """Read a file that holds one conversation."""

    def one(path: Path, **options: Any) -> Conversation:
        (found,) = read(path, **options)
        assert isinstance(found, Conversation), found
        return found

    return one


@pytest.fixture
def bad() -> Callable[..., Unreadable]:
    """Read a file that holds nothing but one unreadable conversation."""

    def bad(path: Path | str, **options: Any) -> Unreadable:
        (found,) = read(path, **options)
        assert isinstance(found, Unreadable), found
        return found

    return bad
