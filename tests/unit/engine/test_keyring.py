"""When the keys are read."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from chalicelib.core.errors import InfrastructureError
from chalicelib.core.signing import KeySet
from chalicelib.engine.keyring import Keyring


@dataclass
class Parameters:
    """The two parameters, and how often they were read."""

    event_keys: list[str] = field(default_factory=lambda: ["first"])
    signing_keys: list[str] = field(default_factory=lambda: ["signkey-a-00"])
    broken: bool = False
    reads: int = 0

    def read(self) -> KeySet:
        self.reads += 1
        if self.broken:
            raise InfrastructureError("SSM is unwell")
        return KeySet(tuple(self.event_keys), tuple(self.signing_keys))


@dataclass
class Clock:
    now_s: float = 1_000_000.0

    def now_ms(self) -> int:
        return int(self.now_s * 1000)


@pytest.fixture
def parameters() -> Parameters:
    return Parameters()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(parameters: Parameters, clock: Clock) -> Keyring:
    return Keyring(parameters, clock)


def test_many_requests_read_once_a_minute(keyring: Keyring, parameters: Parameters, clock: Clock) -> None:
    for _ in range(12):
        assert keyring.accepts_event_key("first")
        assert keyring.accepts_authorization("Bearer signkey-a-00")
        clock.now_s += 10
    assert parameters.reads == 2


def test_a_new_key_works_soon(keyring: Keyring, parameters: Parameters, clock: Clock) -> None:
    assert keyring.accepts_event_key("first")
    parameters.event_keys.insert(0, "second")
    clock.now_s += 10
    assert keyring.accepts_event_key("second")
    assert keyring.accepts_event_key("first")


def test_unknown_keys_cannot_make_us_read_at_every_request(
    keyring: Keyring, parameters: Parameters, clock: Clock
) -> None:
    for number in range(100):
        assert not keyring.accepts_event_key(f"guess-{number}")
        assert not keyring.accepts_authorization(f"Bearer guess-{number}")
        clock.now_s += 0.3
    assert parameters.reads == 3


def test_calls_to_apps_are_signed_with_the_newest_key_within_a_minute(
    keyring: Keyring, parameters: Parameters, clock: Clock
) -> None:
    assert keyring.signing_key() == "signkey-a-00"
    parameters.signing_keys.insert(0, "signkey-b-11")
    clock.now_s += 60
    assert keyring.signing_key() == "signkey-b-11"
    parameters.signing_keys.clear()
    clock.now_s += 60
    assert keyring.signing_key() is None
    assert parameters.reads == 3


def test_what_is_no_bearer_at_all_reads_nothing(keyring: Keyring, parameters: Parameters) -> None:
    for header in (None, "", "Basic x", "Bearer "):
        assert not keyring.accepts_authorization(header)
    assert parameters.reads == 0


def test_a_key_that_was_removed_is_refused_within_a_minute(
    keyring: Keyring, parameters: Parameters, clock: Clock
) -> None:
    assert keyring.accepts_event_key("first")
    parameters.event_keys = ["second"]
    clock.now_s += 60
    assert not keyring.accepts_event_key("first")


def test_known_keys_stay_in_use_while_they_cannot_be_read(
    keyring: Keyring, parameters: Parameters, clock: Clock
) -> None:
    assert keyring.accepts_event_key("first")
    parameters.broken = True
    for _ in range(100):
        clock.now_s += 3
        assert keyring.accepts_event_key("first")
        assert not keyring.accepts_event_key("second")
    assert parameters.reads < 35
    parameters.broken = False
    parameters.event_keys = ["second"]
    clock.now_s += 10
    assert keyring.accepts_event_key("second")


def test_without_ever_having_read_them_it_is_our_fault(keyring: Keyring, parameters: Parameters, clock: Clock) -> None:
    parameters.broken = True
    with pytest.raises(InfrastructureError):
        keyring.accepts_event_key("first")
    parameters.broken = False
    clock.now_s += 1
    assert keyring.accepts_event_key("first")


def test_while_nothing_can_be_read_requests_do_not_try_each_time(
    keyring: Keyring, parameters: Parameters, clock: Clock
) -> None:
    parameters.broken = True
    for _ in range(30):
        with pytest.raises(InfrastructureError):
            keyring.accepts_event_key("first")
        clock.now_s += 0.1
    assert parameters.reads == 3
