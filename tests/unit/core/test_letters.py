"""What is written beside a dead letter, and read there."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InfrastructureError
from chalicelib.core.letters import DIED_EACH_TIME, MAX_REASON_CHARS, Note, read_note, reason_of


def test_what_we_write_can_be_read() -> None:
    note = Note(reason="no such table", receives=10, first_sent_at_ms=1_800_000_000_000, is_ours=True)
    assert read_note(note.attributes()) == note


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("", "unknown"),
        ("  \n", "unknown"),
        ("x" * 5_000, "x" * MAX_REASON_CHARS),
        ("a\x00b\x1b[1m\ufffe", "a\ufffdb\ufffd[1m\ufffd"),
        ("two\nlines\tü 🙂", "two\nlines\tü 🙂"),
        ("\ud800", "\ufffd"),
    ],
)
def test_any_reason_becomes_a_text_that_sqs_takes(reason: str, kept: str) -> None:
    assert Note(reason=reason, receives=10, first_sent_at_ms=1).attributes()["reason"] == kept


def test_an_error_becomes_a_reason() -> None:
    assert reason_of(InfrastructureError("no answer")) == "no answer"
    assert reason_of(KeyError("x")) == "KeyError: 'x'"


def test_a_letter_that_sqs_moved_by_itself_has_no_reason_of_its_own() -> None:
    assert read_note({}) == Note(reason=DIED_EACH_TIME)


@pytest.mark.parametrize(
    ("attributes", "note"),
    [
        (
            {"ERROR_CODE": "AccessDenied", "ERROR_MESSAGE": "no permission", "RETRY_ATTEMPTS": "185", "RULE_ARN": "x"},
            Note("EventBridge could not put it into the events queue: AccessDenied: no permission", receives=185),
        ),
        ({"ERROR_CODE": "X"}, Note("EventBridge could not put it into the events queue: X")),
        ({"reason": "r", "receives": "many", "first_sent_at": "-1"}, Note("r", is_ours=True)),
    ],
)
def test_letters_of_others(attributes: dict[str, str], note: Note) -> None:
    assert read_note(attributes) == note
