"""Keys of a stage: as values, and in SSM."""

from __future__ import annotations

import re
import uuid

import pytest

from infra.deploy import keys
from infra.deploy.account import Account
from infra.deploy.key_store import KeyStore
from infra.deploy.keys import Kind
from infra.deploy.problems import DeployError

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
A, B = (keys.made(Kind.EVENT, "dev", entropy) for entropy in (ONE, TWO))


@pytest.fixture
def store(account: Account) -> KeyStore:
    return KeyStore(account, f"k{uuid.uuid4().hex[:8]}")


def test_an_event_key_may_stand_in_an_address_and_cannot_be_guessed() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", A)
    assert keys.problem(Kind.EVENT, A) is None


def test_an_event_key_is_not_taken_for_an_option() -> None:
    """`keys remove event` is given its first characters."""
    key = keys.made(Kind.EVENT, "dev", b"\xfb" * 32)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{42}", key)


def test_a_signing_key_names_its_stage() -> None:
    key = keys.made(Kind.SIGNING, "prod-eu", ONE)
    assert key == f"signkey-prod_eu-{ONE.hex()}"
    assert keys.problem(Kind.SIGNING, key) is None


def test_a_key_is_never_made_of_less() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        keys.made(Kind.EVENT, "dev", b"short")


@pytest.mark.parametrize(
    ("text", "found"),
    [("", ()), (A, (A,)), (f"{A}\n{B}\n", (A, B)), (f" {A} \r\n\n{B}\n{A}", (A, B))],
)
def test_a_parameter_holds_a_key_a_line(text: str, found: tuple[str, ...]) -> None:
    assert keys.parse(text) == found
    assert keys.parse(keys.render(found)) == found


def test_a_new_key_comes_first_and_the_old_ones_stay() -> None:
    assert keys.added((A,), B) == (B, A)
    assert keys.added((A, B), B) == (B, A)


@pytest.mark.parametrize("part", [A, A[:5], A[-5:]])
def test_a_key_is_removed_by_its_first_or_last_characters(part: str) -> None:
    assert keys.removed((B, A), part) == ((B,), A)


@pytest.mark.parametrize(
    ("held", "part", "says"),
    [
        ((B, A), "abc", "at least 4"),
        ((B, A), "zzzz", "No key begins or ends with 'zzzz'"),
        (("samesame1", "samesame2"), "same", "2 keys begin or end"),
        ((A,), A[-6:], "the last key"),
    ],
)
def test_what_cannot_be_removed_is_told(held: tuple[str, ...], part: str, says: str) -> None:
    with pytest.raises(DeployError, match=says):
        keys.removed(held, part)


def test_the_last_key_goes_only_by_force() -> None:
    assert keys.removed((A,), A[-6:], force=True) == ((), A)


def test_more_keys_than_a_parameter_holds_are_refused() -> None:
    with pytest.raises(DeployError, match="remove old ones"):
        keys.render([keys.made(Kind.SIGNING, "dev", bytes([n]) * 32) for n in range(60)])


@pytest.mark.parametrize("kind", Kind)
def test_a_masked_key_shows_too_little_to_be_used(kind: Kind) -> None:
    key = keys.made(kind, "dev", ONE)
    shown = keys.masked(key)
    assert key not in shown
    assert key[-6:] in shown
    assert len(shown.replace("signkey-dev-", "")) <= 12


@pytest.mark.parametrize(
    ("kind", "key"),
    [(Kind.EVENT, "short"), (Kind.EVENT, "a/b" * 20), (Kind.SIGNING, A), (Kind.SIGNING, "signkey-dev-12")],
)
def test_a_key_made_by_hand_that_cannot_work_is_told(kind: Kind, key: str) -> None:
    assert keys.problem(kind, key) is not None


@pytest.mark.ministack
def test_a_first_key_is_made_once(store: KeyStore) -> None:
    assert store.read(Kind.EVENT) is None
    assert store.make_missing(Kind.EVENT)
    first = store.read(Kind.EVENT)
    assert not store.make_missing(Kind.EVENT)
    assert store.read(Kind.EVENT) == first


@pytest.mark.ministack
def test_keys_are_stored_encrypted_where_the_functions_look(store: KeyStore) -> None:
    store.make_missing(Kind.SIGNING)
    name = f"/stepwell/{store.stage}/signing-keys"
    found = store.account.client("ssm").get_parameter(Name=name, WithDecryption=False)["Parameter"]
    assert found["Type"] == "SecureString"
    assert "signkey-" not in found["Value"]


@pytest.mark.ministack
def test_a_rotation_has_both_keys_in_between(store: KeyStore) -> None:
    store.make_missing(Kind.EVENT)
    old = (store.read(Kind.EVENT) or ())[0]
    both = store.add(Kind.EVENT)
    assert both[1:] == (old,)
    left, gone = store.remove(Kind.EVENT, old[-6:], force=False)
    assert (left, gone) == (both[:1], old)
    assert store.read(Kind.EVENT) == both[:1]


@pytest.mark.ministack
def test_the_last_key_can_go_and_a_new_one_come(store: KeyStore) -> None:
    store.make_missing(Kind.EVENT)
    store.remove(Kind.EVENT, (store.read(Kind.EVENT) or ())[0], force=True)
    assert store.read(Kind.EVENT) is None
    assert store.make_missing(Kind.EVENT)
    assert store.delete(Kind.EVENT)
    assert not store.delete(Kind.EVENT)
