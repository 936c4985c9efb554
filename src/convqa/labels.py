"""The labels of the codebook (data/CODEBOOK.md), in the order in which models and records keep them."""

from __future__ import annotations

from typing import Final, Literal, get_args

AgentLabel = Literal[
    "empathy",
    "apology",
    "active_listening",
    "dismissive",
    "courtesy",
    "ownership",
    "solution",
    "commitment",
    "overpromise",
    "blame",
    "hostility",
    "pressure",
    "honest_uncertainty",
]
CustomerLabel = Literal["distress", "repeated_request", "gratitude"]
ConversationLabel = Literal["one_way_dialogue", "ignored_request"]
Role = Literal["agent", "customer"]
Language = Literal["nb", "nn", "da", "sv", "en"]
Channel = Literal["call", "chat", "email"]

AGENT_LABELS: Final[tuple[AgentLabel, ...]] = get_args(AgentLabel)
CUSTOMER_LABELS: Final[tuple[CustomerLabel, ...]] = get_args(CustomerLabel)
UTTERANCE_LABELS: Final[tuple[str, ...]] = AGENT_LABELS + CUSTOMER_LABELS
CONVERSATION_LABELS: Final[tuple[ConversationLabel, ...]] = get_args(ConversationLabel)

CORE_LABELS: Final = ("empathy", "apology", "active_listening", "dismissive")
"""The four labels that the mission names; headline figures are means over these."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)

LABELS_OF_ROLE: Final[dict[Role, tuple[str, ...]]] = {"agent": AGENT_LABELS, "customer": CUSTOMER_LABELS}
