"""Keys: their forms, and what is accepted."""

from __future__ import annotations

import hashlib

import pytest

from chalicelib.core import signing

DIGITS = "0f" * 32
KEY = f"signkey-prod-{DIGITS}"
SENT = hashlib.sha256(bytes.fromhex(DIGITS)).hexdigest()


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("", ()),
        ("\n \n", ()),
        ("one", ("one",)),
        ("new\nold\n", ("new", "old")),
        (" new \r\nold\nnew", ("new", "old")),
    ],
)
def test_a_parameter_holds_one_key_a_line(value: str, keys: tuple[str, ...]) -> None:
    assert signing.parse_keys(value) == keys


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
