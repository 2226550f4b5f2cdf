"""Keys: their forms, and what is accepted."""

from __future__ import annotations

import hashlib

import pytest

from chalicelib.core import signing

DIGITS = "0f" * 32
KEY = f"signkey-prod-{DIGITS}"
SENT = hashlib.sha256(bytes.fromhex(DIGITS)).hexdigest()


NEW, OLD = "a-new-event-key-0001", "an-old-event-key-0002"


@pytest.mark.parametrize(
    ("value", "keys", "ignored"),
    [
        ("", (), 0),
        ("\n \n", (), 0),
        (NEW, (NEW,), 0),
        (f"{NEW}\n{OLD}\n", (NEW, OLD), 0),
        (f" {NEW} \r\n{OLD}\n{NEW}", (NEW, OLD), 0),
        ("none", (), 1),
        (f"# the shop\n{NEW}\n-", (NEW,), 2),
        ("a key with spaces in it, and long", (), 1),
    ],
)
def test_a_parameter_holds_one_event_key_a_line(value: str, keys: tuple[str, ...], ignored: int) -> None:
    assert signing.parse_event_keys(value) == (keys, ignored)


@pytest.mark.parametrize(
    ("value", "keys", "ignored"),
    [
        (f"{KEY}\nnone", (KEY,), 1),
        ("signkey-prod-", (), 1),
        ("signkey-prod-abc", (), 1),
        (f"signkey-my-stage-{DIGITS}", (), 1),
        (NEW, (), 1),
    ],
)
def test_a_signing_key_has_its_form(value: str, keys: tuple[str, ...], ignored: int) -> None:
    assert signing.parse_signing_keys(value) == (keys, ignored)


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        (KEY, f"signkey-prod-{SENT}"),
        (f"signkey-my_stage-{DIGITS.upper()}", f"signkey-my_stage-{SENT}"),
        (DIGITS, None),
        ("signkey-prod-xyz", None),
        ("signkey-prod-abc", None),
        ("signkey-prod-", None),
        ("", None),
    ],
)
def test_the_form_in_which_sdks_send_a_key(key: str, sent: str | None) -> None:
    assert signing.hashed(key) == sent


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer   abc ", "abc"),
        ("Basic abc", None),
        ("abc", None),
        ("Bearer", None),
        ("Bearer a b", None),
        ("Bearer ü", None),
        ("", None),
        (None, None),
    ],
)
def test_the_token_of_a_header(header: str | None, token: str | None) -> None:
    assert signing.bearer_of(header) == token


@pytest.mark.parametrize(
    ("presented", "is_right"),
    [
        (KEY, True),
        (f"signkey-prod-{SENT}", True),
        (SENT, True),
        ("odd-but-ours", True),
        (DIGITS, False),
        (f"signkey-test-{SENT}", False),
        (hashlib.sha256(DIGITS.encode()).hexdigest(), False),
        (KEY[:-1], False),
        (KEY + "0", False),
        ("", False),
    ],
)
def test_what_may_be_presented(presented: str, is_right: bool) -> None:
    assert signing.is_one_of(presented, signing.accepted_bearers([KEY, "odd-but-ours"])) is is_right


def test_without_keys_nothing_is_right() -> None:
    assert not signing.is_one_of("", signing.accepted_bearers([]))
    assert not signing.is_one_of("x", [])


def test_any_text_can_be_presented() -> None:
    assert not signing.is_one_of("\ud800ü", [KEY])
