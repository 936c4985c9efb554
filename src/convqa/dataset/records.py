"""What a line of a labelled data set holds, and its rules; pydantic checks them and names the place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from convqa.labels import LABELS_OF_ROLE, AgentLabel, Channel, CustomerLabel, Language, Role

Style = Literal["punctuated", "asr", "chat"]
Seconds = Annotated[float, Field(ge=0)]
Quality = Annotated[float, Field(ge=1, le=5, multiple_of=0.5)]
Words = Annotated[str, Field(pattern=r"\S")]


class _Part(BaseModel):
    # A field that is not known is a slip of the pen ('lables'), and would be lost in silence.
    # Strict: "4" for 4 would pass here and give columns of two kinds to whoever loads the files.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    @model_validator(mode="after")
    def _times_in_order(self) -> _Part:
        start, end = getattr(self, "start", None), getattr(self, "end", None)
        if (start is None) != (end is None):
            raise ValueError("has one of 'start' and 'end'; give both, or neither")
        if start is not None and end is not None and end < start:
            raise ValueError(f"'end' {end} lies before 'start' {start}")
        return self


class LabelledUtterance(_Part):
    """A sentence, or what would be one, with the labels of the codebook. Times are seconds from the start."""

    text: Words
    labels: tuple[AgentLabel | CustomerLabel, ...]
    start: Seconds | None = None
    end: Seconds | None = None

    @model_validator(mode="after")
    def _once(self) -> LabelledUtterance:
        twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
        if twice:
            raise ValueError(f"carries {', '.join(twice)} twice")
        return self


class LabelledTurn(_Part):
    """What one side says at a stretch. The turn's text is its utterances joined by spaces."""

    role: Role
    utterances: Annotated[tuple[LabelledUtterance, ...], Field(min_length=1)]
    start: Seconds | None = None
    end: Seconds | None = None

    @model_validator(mode="after")
    def _labels_of_the_role(self) -> LabelledTurn:
        for number, said in enumerate(self.utterances, 1):
            wrong = [label for label in said.labels if label not in LABELS_OF_ROLE[self.role]]
            if wrong:
                raise ValueError(
                    f"utterance {number} carries {', '.join(wrong)}, which is not a label of the {self.role}; "
                    f"theirs are {', '.join(LABELS_OF_ROLE[self.role])}"
                )
        return self


class _Dialogue(_Part):
    id: Words
    language: Language
    turns: Annotated[tuple[LabelledTurn, ...], Field(min_length=1)]

    def lines(self) -> Iterator[tuple[Role, LabelledUtterance]]:
        """Yield every utterance with the role that says it, in order."""
        for turn in self.turns:
            for said in turn.utterances:
                yield turn.role, said

    def words(self) -> list[str]:
        """Return all texts, an entry a turn."""
        return [" ".join(said.text for said in turn.utterances) for turn in self.turns]


class Snippet(_Dialogue):
    """Two to five lines torn out of a conversation, all labelled."""

    style: Style | None = None


class LabelledConversation(_Dialogue):
    """A whole conversation, every utterance labelled, with the ratings of the whole. What is not rated is None."""

    channel: Channel | None = None
    style: Style | None = None
    domain: str | None = None
    topic: str | None = None
    manner: Literal["everyday", "company"] | None = None
    agent: str | None = None
    customer: str | None = None
    outcome: str | None = None
    quality: Quality | None = None
    one_way: bool | None = None
    ignored_request: bool | None = None
    resolved: Literal["yes", "partly", "no"] | None = None

    @model_validator(mode="after")
    def _two_sides(self) -> LabelledConversation:
        missing = {"agent", "customer"} - {turn.role for turn in self.turns}
        if missing:
            raise ValueError(f"the {' and the '.join(sorted(missing))} says nothing; a conversation has both sides")
        return self


class Ratings(_Part):
    """One annotator's view of a conversation: labels of every utterance in its order, and the ratings."""

    labels: tuple[tuple[AgentLabel | CustomerLabel, ...], ...]
    quality: Quality | None = None
    one_way: bool | None = None
    ignored_request: bool | None = None
    resolved: Literal["yes", "partly", "no"] | None = None


class TwiceLabelled(_Part):
    """A conversation as two annotators labelled it who did not see each other's labels."""

    id: Words
    first: Ratings
    second: Ratings
