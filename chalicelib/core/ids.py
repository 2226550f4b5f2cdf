"""Identifiers. All are ULIDs (26 characters, sortable by time), and every id that can be derived is derived, so
that a second delivery of the same message makes the same things.

An event's id carries a hash of its name in the first characters behind the time: with the id alone its record is
found in the partition of its name, and no index has to be paid for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DECODE: Final = {char: index for index, char in enumerate(_ALPHABET)}
_TIME_CHARS: Final = 10
_ULID_CHARS: Final = 26
_NAME_BITS: Final = 20
_ENTROPY_BITS: Final = 80


def _encode(value: int, chars: int) -> str:
    out = []
    for _ in range(chars):
        out.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(out))


def ulid(time_ms: int, entropy: bytes) -> str:
    """A ULID of `time_ms` and the first 10 bytes of `entropy`."""
    bits = int.from_bytes(entropy[:10], "big")
    return _encode(time_ms, _TIME_CHARS) + _encode(bits, _ULID_CHARS - _TIME_CHARS)


def ulid_time_ms(value: str) -> int:
    """The time in a ULID, in milliseconds. Raises ValueError when it is none."""
    if not is_ulid(value):
        raise ValueError(f"{value!r} is not an id of ours")
    result = 0
    for char in value[:_TIME_CHARS]:
        result = result << 5 | _DECODE[char]
    return result


def position(time_ms: int) -> str:
    """Where ids of this time begin."""
    return _encode(time_ms, _TIME_CHARS)


def event_position(internal_id: str, received_at_ms: int) -> str:
    """Where an event stands among those of its name: its id, unless the id was made at another time."""
    return position(received_at_ms) + internal_id[_TIME_CHARS:]


def is_ulid(value: str) -> bool:
    """Whether the text has the form of a ULID."""
    return len(value) == _ULID_CHARS and value[0] <= "7" and all(char in _DECODE for char in value)


def _name_hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big") >> 4


def event_id(time_ms: int, name: str, entropy: bytes) -> str:
    """The internal id of an event: time, 20 bits of its name's hash, 60 bits of entropy."""
    rest = int.from_bytes(entropy[:8], "big") >> 4
    bits = _name_hash(name) << (_ENTROPY_BITS - _NAME_BITS) | rest
    return _encode(time_ms, _TIME_CHARS) + _encode(bits, _ULID_CHARS - _TIME_CHARS)


@dataclass(frozen=True)
class EventSeed:
    """What makes the ids of a request's events the same when the request is sent again."""

    time_ms: int
    entropy: bytes

    @classmethod
    def read(cls, header: str | None) -> EventSeed | None:
        """The seed in a header `milliseconds,base64 of 10 bytes`. None for what is none: the protocol ignores it."""
        parts = _SEED.fullmatch(header or "")
        if parts is None or not 0 < int(parts[1]) < _TIMES_END_MS:
            return None
        try:
            entropy = base64.b64decode(parts[2], validate=True)
        except binascii.Error:
            return None
        return cls(int(parts[1]), entropy) if len(entropy) == 10 else None

    def event_id(self, index: int, name: str) -> str:
        """The id of one event of the request, by its place there."""
        return event_id(self.time_ms, name, _derive("seed", self.entropy.hex(), str(index)))


_SEED: Final = re.compile(r"([0-9]{1,15}),([A-Za-z0-9+/=]{1,64})")
_TIMES_END_MS: Final = 1 << 48  # A ULID holds no later time.


def event_bucket(internal_id: str) -> str:
    """The four characters of an event's id that stand for its name."""
    return internal_id[_TIME_CHARS : _TIME_CHARS + _NAME_BITS // 5]


def name_bucket(name: str) -> str:
    """The same four characters, from the name."""
    return _encode(_name_hash(name), _NAME_BITS // 5)


def shard_of(value: str, shards: int) -> int:
    """A stable shard for an id or a name."""
    return hashlib.sha256(value.encode()).digest()[0] % shards


def _derive(*parts: str) -> bytes:
    return hashlib.sha256("\x00".join(parts).encode()).digest()


def run_id(trigger_id: str, fn_id: str) -> str:
    """The id of the run that an event starts of a function. Never depends on the user's own event id."""
    return ulid(ulid_time_ms(trigger_id), _derive("run", trigger_id, fn_id))


def replay_run_id(replay: str, original: str) -> str:
    """The id of the run that replays another one as a part of a replay of many."""
    return ulid(ulid_time_ms(replay), _derive("replay", replay, original))


def lifecycle_event_id(run: str, name: str, ended_at_ms: int) -> str:
    """The id of an event that tells a run's end."""
    return event_id(ended_at_ms, name, _derive("lifecycle", run, name))


def step_event_id(run: str, step: str, index: int, name: str, time_ms: int) -> str:
    """The id of an event that a step sends (also the one that invokes a function). Repeating the step repeats it."""
    return event_id(time_ms, name, _derive("step-event", run, step, str(index)))


def endpoint_event_id(run: str, name: str) -> str:
    """The id of the event that tells of the request within which an app began a run."""
    return event_id(ulid_time_ms(run), name, _derive("endpoint", run))


def scheduled_event_id(fn_id: str, cron: str, due_ms: int, name: str) -> str:
    """The id of the event that starts a scheduled run."""
    return event_id(due_ms, name, _derive("cron", fn_id, cron, str(due_ms)))


def jitter_ms(value: str, most_ms: int) -> int:
    """Some time from 0 to most, the same for the same id."""
    return int.from_bytes(_derive("jitter", value)[:6], "big") * most_ms >> 48


def hashed_step_id(user_id: str, repeat: int) -> str:
    """The memo key of a step: hex SHA-1 of the user's id, with `:1`, `:2`, … for its repeats (SDK protocol)."""
    text = user_id if repeat == 0 else f"{user_id}:{repeat}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
