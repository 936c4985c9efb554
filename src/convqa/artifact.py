"""A trained model's folder: arrays, word lists, ``meta.json`` and a model card. Nothing in it can run code.

An artifact is a folder with

- ``meta.json``: kind, version, labels, thresholds, what it was trained on (with a hash), measured
  scores, versions of the libraries that made it, and the SHA-256 of every other file;
- ``weights.safetensors``: numeric arrays;
- ``*.txt``: lists of strings, one a line (vocabularies);
- ``README.md``: the model card.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from convqa.errors import ModelError

META = "meta.json"
WEIGHTS = "weights.safetensors"
CARD = "README.md"
FORMAT = 1
"""Raised when a change of layout makes older artifacts unreadable."""


def models_folder() -> Path:
    """Where the bundled models lie: inside an installed package, or beside the sources in a checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "models"
    return installed if installed.is_dir() else here.parents[1] / "models"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Artifact:
    """An opened model folder. ``digest`` is one SHA-256 over the sums of all its files."""

    folder: Path
    meta: dict[str, Any]
    digest: str

    @property
    def name(self) -> str:
        """Name and version, as records state them."""
        return f"{self.meta['name']} {self.meta['version']}"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the numeric arrays by name."""
        try:
            return load_file(self.folder / WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{self.folder / WEIGHTS}: cannot be read ({error})") from error

    def lines(self, name: str) -> list[str]:
        """Return the list of strings kept in ``name``.txt."""
        try:
            return (self.folder / f"{name}.txt").read_bytes().decode("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{self.folder / name}.txt: cannot be read ({error})") from error


def _meta(folder: Path) -> dict[str, Any]:
    try:
        meta = json.loads((folder / META).read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{folder}: no model here ({META} cannot be read: {error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"{folder / META}: not valid JSON ({error})") from error
    if not isinstance(meta, dict):
        raise ModelError(f"{folder / META}: is {type(meta).__name__}; an object is wanted")
    return meta


def kind_of(folder: Path) -> Any:
    """Return what kind of model a folder says it holds. Raises ModelError where there is no readable ``meta.json``."""
    return _meta(folder).get("kind")


def open_artifact(folder: Path, kind: str) -> Artifact:
    """Open a model folder and check that it is whole and of the wanted kind.

    Raises ModelError where the folder, its ``meta.json`` or a file is missing, damaged or of another kind.
    """
    meta = _meta(folder)
    if meta.get("kind") != kind:
        raise ModelError(f"{folder / META}: kind is {meta.get('kind')!r}; a model of kind {kind!r} is wanted here")
    if meta.get("format") != FORMAT:
        raise ModelError(f"{folder / META}: format {meta.get('format')!r}; this convqa reads format {FORMAT}")
    files = meta.get("files")
    if not isinstance(files, dict):
        raise ModelError(f"{folder / META}: 'files' is missing; it must hold the SHA-256 of each file")
    for name, expected in files.items():
        path = folder / name
        if path.parent != folder or not path.is_file():
            raise ModelError(f"{folder}: file {name!r} is missing")
        if sha256(path) != expected:
            raise ModelError(f"{path}: not the file that was trained (its SHA-256 differs from {META})")
    # Thresholds and calibration stand in meta.json: another meta.json is another model.
    return Artifact(folder, meta, digest({**files, META: sha256(folder / META)}))


@contextmanager
def complete(artifact: Artifact) -> Iterator[None]:
    """Turn what a loader misses in ``meta.json`` or the arrays into a ModelError that names the folder."""
    try:
        yield
    except KeyError as error:
        raise ModelError(f"{artifact.folder}: {error} is missing in {META} or {WEIGHTS}") from error
    except (TypeError, ValueError) as error:
        raise ModelError(f"{artifact.folder}: {META} and {WEIGHTS} do not fit together ({error})") from error


def digest(files: Mapping[str, str]) -> str:
    """Return one SHA-256 over file names and their sums."""
    return hashlib.sha256("\n".join(f"{name} {files[name]}" for name in sorted(files)).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """Return one SHA-256 over all files of a folder, for models that are not in our own format."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CARD)
    return digest({path.relative_to(folder).as_posix(): sha256(path) for path in files})


def write_artifact(
    folder: Path,
    *,
    kind: str,
    meta: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    lists: Mapping[str, Sequence[str]] | None = None,
    card: str,
) -> None:
    """Write a model folder: arrays, lists, ``meta.json`` with the sums of the files, and the card."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)
    files = {WEIGHTS: sha256(folder / WEIGHTS)}
    for name, lines in (lists or {}).items():
        if any("\n" in line for line in lines):
            raise ValueError(f"a string in {name!r} holds a line break")
        path = folder / f"{name}.txt"
        path.write_text("\n".join(lines), "utf-8", newline="\n")
        files[path.name] = sha256(path)
    whole = {"kind": kind, "format": FORMAT, **meta, "files": files}
    (folder / META).write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", "utf-8", newline="\n")
    (folder / CARD).write_text(card, "utf-8", newline="\n")


@dataclass(frozen=True, slots=True)
class Installed:
    """A bundled model, for people to read about."""

    folder: Path
    name: str
    version: str
    megabytes: float
    trained_on: str
    headline: str


def installed_models() -> list[Installed]:
    """List the bundled models by folder name. Raises ModelError where one has no readable ``meta.json``."""
    found = []
    for path in sorted(models_folder().glob(f"*/{META}")):
        try:
            meta = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: cannot be read ({error})") from error
        if not isinstance(meta, dict):
            raise ModelError(f"{path}: is {type(meta).__name__}; an object is wanted")
        # A spaCy pipeline's meta.json has its own fields; ours stand under "convqa" there.
        meta = {**meta, **own} if isinstance(own := meta.get("convqa"), dict) else meta
        size = sum(file.stat().st_size for file in path.parent.rglob("*") if file.is_file()) / 1e6
        data = meta.get("data")
        trained_on = str(meta.get("trained_on", ""))
        if isinstance(data, dict) and "conversations" in data:
            trained_on = f"{data['conversations']} conversations"
        name, version = (str(meta.get(field, "")) for field in ("name", "version"))
        found.append(
            Installed(path.parent, name or path.parent.name, version, size, trained_on, meta.get("headline", ""))
        )
    return found
