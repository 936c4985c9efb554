from __future__ import annotations

import pytest

from convqa.readers.words import channel_of, clean, language_of, role_of

AGENTS = """
agent AGENT Agent_1 Tore_Agent agenten Kundebehandler Saksbehandlar medarbejder Sagsbehandleren handläggare
Kundtjänst rådgiver konsulent Support operatør SupportAgent customer-support
"""
CUSTOMERS = """
customer Kunde kunden Kund KUNDE_2 client caller Innringer innringar user endUser end_user visitor opkalder
användare gæst bruker
"""


@pytest.mark.parametrize("name", AGENTS.split())
def test_words_for_an_agent(name: str) -> None:
    assert role_of(name) == "agent"


@pytest.mark.parametrize("name", CUSTOMERS.split())
def test_words_for_a_customer(name: str) -> None:
    assert role_of(name) == "customer"


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[(name, "agent") for name in ("Sales Rep", "Agent (Tore)", "Tore (kundebehandler)", "Customer Service")],
        *[
            (name, "agent")
            for name in ("Agent Tore", "Kari – rådgiver", "Customer Agent", "Call centre agent 2 (agent)")
        ],
        *[(name, "customer") for name in ("Customer (Ola)", "Kunde Hansen", "Ola, kunde", "Kari Kunde")],
    ],
)
def test_role_beside_a_name(name: str, role: str) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize(
    "name",
    ["bot", "system", "spk_0", "ch_1", "Tore", "", None, "Kunde nr", "Customer number", "Kundenummer", "x" * 500],
)
def test_role_of_unknown(name: str | None) -> None:
    assert role_of(name) is None


@pytest.mark.parametrize(
    ("told", "language"),
    [
        *[
            (told, "nb")
            for told in ("nb", "no", "nb-NO", "nb_NO", "NO", "norwegian", "Norwegian Bokmål", "Norsk", "nor")
        ],
        *[(told, "nn") for told in ("nn", "nn-NO", "Nynorsk", "Norwegian Nynorsk", "nno")],
        *[(told, "da") for told in ("da-DK", "Danish", "dansk")],
        *[(told, "sv") for told in ("sv-SE", "svenska", "swe")],
        *[(told, "en") for told in ("en-US", "en-GB", "EN", "english", "en_AU")],
        *[(told, None) for told in ("", None, "und", "unknown", "auto")],
        *[(told, told) for told in ("de", "nl-NL", "fi", "us-XX")],
    ],
)
def test_language_of(told: str | None, language: str | None) -> None:
    assert language_of(told) == language


@pytest.mark.parametrize(
    ("told", "channel"),
    [
        *[(told, "call") for told in ("VOICE", "telephone", "samtal")],
        *[(told, "email") for told in ("e-mail", "E-post", "mail")],
        *[(told, "chat") for told in ("SMS", "web chat")],
        ("fax", None),
        (None, None),
    ],
)
def test_channel_of(told: str | None, channel: str | None) -> None:
    assert channel_of(told) == channel


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  hei\u00a0", "hei"),
        ("a\r\nb\rc\vd", "a\nb\nc\nd"),
        ("a\x00b\x1b[31mc\x85\x9f", "ab[31mc"),
        ("to\ttabs,  to mellomrom – «æøå» 👍🏽", "to\ttabs,  to mellomrom – «æøå» 👍🏽"),
    ],
)
def test_clean_keeps_all_but_controls(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
