from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from convqa.conversation import Conversation, Turn, Unreadable


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "transcribe_speakers",
            Conversation(
                "kald-42",
                (Turn("Hei, takk.", None, "spk_0", 0.5, 1.6), Turn("Ja, hallo.", None, "spk_1", 2.0, 2.9)),
                "nb",
                "call",
                {"job_name": "kald-42"},
            ),
        ),
        (
            "transcribe_channels",  # in order of time; øh does not cut the question in two
            Conversation(
                "kald-43",
                (
                    Turn("Hej du.", None, "ch_0", 0.1, 0.8),
                    Turn("Hallo", None, "ch_1", 1.0, 1.4),
                    Turn("Hvad gælder det?", None, "ch_0", 1.9, 3.0),
                    Turn("øh", None, "ch_1", 2.65, 2.8),
                    Turn("Fakturaen.", None, "ch_1", 5.0, 5.6),
                ),
                "da",
                "call",
                {"job_name": "kald-43"},
            ),
        ),
        (
            "transcribe_segments",
            Conversation(
                "kald-44",
                (Turn("Hej. Vad gäller det?", None, "spk_0", 0.0, 2.4), Turn("Jo, en sak.", None, "spk_1", 3.0, 4.4)),
                "sv",
                "call",
                {"job_name": "kald-44"},
            ),
        ),
        (
            "call_analytics",
            Conversation(
                "billing-7",
                (
                    Turn("Good morning, Northwind Power.", "agent", "AGENT", 0.04, 2.05),
                    Turn("My bill is wrong again.", "customer", "CUSTOMER", 2.6, 4.45),
                ),
                "en",
                "call",
                {"job_name": "billing-7", "categories": ["No_Farewell"]},
            ),
        ),
        (
            "contact_lens_chat",
            Conversation(
                "contact-9",
                (
                    Turn("An agent will be with you soon.", None, "SYSTEM_MESSAGE", 0.0),
                    Turn("Hi Mina, Joan here.", "agent", "Joan", 10.5),
                    Turn("My parcel is lost.", "customer", "Mina", 60.0),
                ),
                "en",
                "chat",
                {"contact_id": "contact-9", "instance_id": "instance-1", "started_at": "2026-11-02T08:00:01+00:00"},
            ),
        ),
        (
            "contact_lens_voice",
            Conversation(
                "contact_lens_voice",
                (Turn("Goedemorgen.", "agent", "AGENT", 0.0, 0.9), Turn("Hallo.", "customer", "CUSTOMER", 1.2, 1.7)),
                "nl-NL",
                "call",
            ),
        ),
        (
            "whisperx",
            Conversation(
                "whisperx",
                (
                    Turn("Hei, du snakkar med Solveig. Kva gjeld det?", None, "SPEAKER_00", 0.2, 2.6),
                    Turn("Timen min.", None, "SPEAKER_01", 3.0, 3.7),
                    Turn("Ja vel.", None, "SPEAKER_00", 4.0, 4.8),
                    Turn("Hm.", None, "unknown", 9.0, 9.5),
                    Turn("Takk.", None, "SPEAKER_01", 12.0, 12.5),
                ),
                "nn",
                "call",
            ),
        ),
    ],
)
def test_vendor_shapes(data: Path, one: Callable[..., Conversation], name: str, expected: Conversation) -> None:
    found = one(data / f"{name}.json")
    assert found.turns == expected.turns
    assert (found.id, found.language, found.channel, found.metadata) == (
        expected.id, expected.language, expected.channel, expected.metadata
    )  # fmt: skip


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"status": "FAILED", "results": {"transcripts": []}}, "the job's status is FAILED"),
        ({"JobStatus": "COMPLETED", "ConversationCharacteristics": {}}, "has no transcript"),
        (
            {
                "results": {
                    "transcripts": [],
                    "items": [{"type": "pronunciation", "alternatives": [{"content": "Hei"}]}],
                }
            },
            "nobody is told apart; run the job with speaker partitioning or channel identification",
        ),
        ({"results": {"transcripts": [], "items": [{}], "speaker_labels": {}}}, "field 'alternatives' is missing"),
        ({"segments": [{"text": "Hei", "start": 0, "end": 1}]}, "no segment has a speaker"),
        ({"segments": [{"text": "Hei", "start": "x", "speaker": "A"}]}, "'x' is not a time"),
        ({"segments": ["Hei"]}, "has no 'turns'"),
        ({"analysisInput": {"conversations": []}}, "has no 'turns'; its fields are analysisInput."),
    ],
)
def test_what_cannot_be_read_is_told(
    write: Callable[..., Path], bad: Callable[..., Unreadable], document: object, reason: str
) -> None:
    assert reason in bad(write("c.json", json.dumps(document))).reason


def test_words_that_were_not_aligned_have_no_time(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    words = [{"word": "Hei", "speaker": "A", "start": 1.0, "end": 1.5}, {"word": "10", "start": float("nan")}]
    document = {"segments": [{"text": "Hei 10", "start": 1.0, "end": 2.0, "words": words}]}
    assert one(write("c.json", json.dumps(document))).turns == (Turn("Hei 10", None, "A", 1.0, 1.5),)


def test_words_of_older_files_have_no_speaker_of_their_own(
    data: Path, write: Callable[..., Path], one: Callable[..., Conversation]
) -> None:
    document = json.loads((data / "transcribe_speakers.json").read_text())
    for item, speaker in zip(document["results"]["items"][::2], ("spk_0", "spk_0", "spk_1", "spk_1"), strict=True):
        item["speaker_label"] = speaker
    del document["results"]["speaker_labels"]["segments"]
    assert one(write("c.json", json.dumps(document))).turns == one(data / "transcribe_speakers.json").turns
