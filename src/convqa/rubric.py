"""The scorecard: criteria with weights and need-gates, caps, flags and bands, read from TOML and checked on reading."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from convqa.errors import RubricError
from convqa.labels import AgentLabel, ConversationLabel, CustomerLabel
from convqa.report import Severity

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Answered(_Part):
    """Something the customer says calls for something from the agent: credit for each call that is answered.

    A call is a customer turn (or a run of them, until the agent speaks) that carries a label of
    ``need``, or has at least ``need_words`` words. It is answered in full by a label of ``answer``
    within the next ``window`` agent turns, and worth ``late`` where that comes afterwards. ``enough``
    answers earn everything, so that more of the same adds nothing. With fewer than ``applies_from``
    calls the criterion does not apply, unless ``applies_if_given`` and the agent gave an answer.
    """

    kind: Literal["answered"]
    name: Name
    title: str
    weight: Annotated[float, Field(gt=0)]
    need: tuple[CustomerLabel, ...] = ()
    need_words: Annotated[int, Field(ge=1)] | None = None
    answer: Annotated[tuple[AgentLabel, ...], Field(min_length=1)]
    window: Annotated[int, Field(ge=1)] = 2
    late: Share = 0.3
    enough: Annotated[int, Field(ge=1)] = 2
    applies_from: Annotated[int, Field(ge=1)] = 1
    applies_if_given: bool = False

    @model_validator(mode="after")
    def _some_need(self) -> Answered:
        if not self.need and self.need_words is None:
            raise ValueError("needs 'need' or 'need_words': without one it could never apply")
        return self


class Avoided(_Part):
    """What the agent must not do: from 1 on, every utterance with a label takes ``deduct`` of what is left."""

    kind: Literal["avoided"]
    name: Name
    title: str
    weight: Annotated[float, Field(gt=0)]
    deduct: Annotated[dict[AgentLabel, Share], Field(min_length=1)]


class Present(_Part):
    """What a contact should hold: each label found adds its ``credit`` once, up to 1.

    Without any customer turn of ``need_words`` words it does not apply.
    """

    kind: Literal["present"]
    name: Name
    title: str
    weight: Annotated[float, Field(gt=0)]
    credit: Annotated[dict[AgentLabel, Share], Field(min_length=1)]
    need_words: Annotated[int, Field(ge=0)] = 0


class Unlikely(_Part):
    """What the conversation must not be: full points at a probability of 0, none at 1.

    Does not apply to conversations with fewer than ``customer_turns`` customer turns.
    """

    kind: Literal["unlikely"]
    name: Name
    title: str
    weight: Annotated[float, Field(gt=0)]
    signal: ConversationLabel
    customer_turns: Annotated[int, Field(ge=0)] = 3


Criterion = Annotated[Answered | Avoided | Present | Unlikely, Field(discriminator="kind")]


class Occasion(_Part):
    """When a cap or flag is in force: ``at_least`` utterances with ``label``, or ``signal`` at its threshold.

    Only utterances whose label is at least ``probability_at_least`` probable count: a cap should be surer than a
    mark in the transcript.
    """

    label: AgentLabel | None = None
    at_least: Annotated[int, Field(ge=1)] = 1
    probability_at_least: Share = 0.0
    signal: ConversationLabel | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Occasion:
        if (self.label is None) == (self.signal is None):
            raise ValueError("give either 'label' or 'signal'")
        return self


class Cap(_Part):
    """The score is at most ``at_most`` when ``when`` holds: polite words never buy a failure back."""

    name: Name
    when: Occasion
    at_most: Annotated[float, Field(ge=0, le=100)]


class FlagRule(_Part):
    """A person should look when ``when`` holds."""

    name: Name
    when: Occasion
    severity: Severity


class Band(_Part):
    """Scores from ``at_least`` up to the next band."""

    name: Name
    at_least: Annotated[float, Field(ge=0, le=100)]


class Rubric(_Part):
    """A whole scorecard. Bands run from the highest down to one that starts at 0."""

    name: Name
    version: str
    title: str
    criterion: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    cap: tuple[Cap, ...] = ()
    flag: tuple[FlagRule, ...] = ()
    band: Annotated[tuple[Band, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Rubric:
        for what, parts in (("criterion", self.criterion), ("cap", self.cap), ("flag", self.flag), ("band", self.band)):
            names = [part.name for part in parts]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what} {twice[0]!r} is there twice; names must differ")
        floors = [band.at_least for band in self.band]
        if floors != sorted(set(floors), reverse=True) or floors[-1] != 0:
            raise ValueError(f"bands start at {floors}; they must fall from the highest down to one at 0")
        return self

    def band_of(self, score: float) -> str:
        """Return the name of the band that a score (0 to 100) is in."""
        return next(band.name for band in self.band if score >= band.at_least)


@dataclass(frozen=True, slots=True)
class RubricFile:
    """A rubric, its text as written, and the SHA-256 of that text."""

    rubric: Rubric
    text: str
    digest: str

    @property
    def name(self) -> str:
        """Name and version, as records state them."""
        return f"{self.rubric.name} {self.rubric.version}"


def default_path() -> Path:
    """Return the path of the rubric that is in force without ``--rubric``."""
    return Path(__file__).with_name("rubrics") / "default.toml"


def load_rubric(path: Path | None = None) -> RubricFile:
    """Read and check a rubric; the default one without an argument.

    Raises RubricError naming the file, the place in it, what was met and what would do.
    """
    path = path or default_path()
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
        rubric = Rubric.model_validate(tomllib.loads(text))
    except OSError as error:
        raise RubricError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RubricError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise RubricError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        problems = (f"{path}, {_place(item['loc'])}: {_problem(item)}" for item in error.errors())
        raise RubricError("\n".join(problems)) from error
    return RubricFile(rubric, text, hashlib.sha256(data).hexdigest())


def _place(location: tuple[int | str, ...]) -> str:
    kinds = {"answered", "avoided", "present", "unlikely"}
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f" {part + 1}"
        elif part not in kinds:
            place += f" {part}" if place else str(part)
    return place or "the whole"


def _problem(item: object) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")  # type: ignore[index]
    met = item["input"]  # type: ignore[index]
    return f"{message} (met {met!r})" if isinstance(met, str | int | float) else message
