from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from convqa.readers.source import Source

TEXT = "Kunde: blåbærsyltetøy på Ängön – “ja”\nAgent: Øl\n" * 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_text_comes_out_whatever_the_encoding(write: Callable[..., Path], encoding: str) -> None:
    source = Source(write("a.txt", TEXT, encoding))
    assert source.text() == TEXT
    assert source.head_text() == TEXT
    assert source.text() == TEXT  # a second time


def test_stray_old_bytes_do_not_spoil_a_utf8_file(write: Callable[..., Path]) -> None:
    sound = "æøå ÆØÅ äö\n" * 5
    source = Source(write("a.txt", sound.encode() + "blåbær\n".encode("cp1252") + sound.encode()))
    assert source.text() == sound + "blåbær\n" + sound


def test_old_bytes_after_the_head_are_decoded_too(write: Callable[..., Path]) -> None:
    ascii = b"x" * 80 + b"\n"
    source = Source(write("a.txt", ascii * 20_000 + "blåbær".encode("cp1252")))
    assert source.text().endswith("\nblåbær")


def test_bytes_that_windows_leaves_undefined_do_not_stop_reading(write: Callable[..., Path]) -> None:
    assert Source(write("a.txt", b"\xe6\x81\xf8")).text() == "æ\x81ø"


def test_capitals_before_a_quotation_mark_stay_windows(write: Callable[..., Path]) -> None:
    # The bytes of Å” are also a letter in UTF-8; the rest of the file tells.
    assert Source(write("a.txt", "”HALLÅ” på sjön är öppet".encode("cp1252"))).text() == "”HALLÅ” på sjön är öppet"


def test_name_is_always_valid_text() -> None:
    source = Source(Path("calls/k\udce5.txt"))
    assert source.name.encode() == b"calls/k\\udce5.txt"


def test_bom_alone_is_empty(write: Callable[..., Path]) -> None:
    assert Source(write("a.txt", codecs.BOM_UTF8)).head_text() == ""
