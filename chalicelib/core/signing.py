"""Keys: how they are written down, and when a presented one is right. Every comparison takes the same time for every
key, right or wrong."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SIGNING_KEY = re.compile(r"(signkey-[A-Za-z0-9_]+-)([0-9a-fA-F]+)")
_BEARER = re.compile(r"[Bb]earer +([!-~]+) *")


@dataclass(frozen=True)
class KeySet:
    """The keys that are right now; several of a kind, so that they can be rotated without downtime."""

    event_keys: tuple[str, ...] = ()
    signing_keys: tuple[str, ...] = ()


def parse_keys(value: str) -> tuple[str, ...]:
    """The keys of a parameter's value: one a line, newest first."""
    return tuple(dict.fromkeys(line.strip() for line in value.splitlines() if line.strip()))


def hashed(signing_key: str) -> str | None:
    """The key as SDKs send it: its prefix, and the SHA-256 of the bytes that its digits denote, both in hex. None
    for a key that does not have this form."""
    parts = _SIGNING_KEY.fullmatch(signing_key)
    if parts is None or len(parts[2]) % 2:
        return None
    return parts[1] + hashlib.sha256(bytes.fromhex(parts[2])).hexdigest()


def bearer_of(header: str | None) -> str | None:
    """The token of an Authorization header, if it holds one."""
    found = _BEARER.fullmatch(header or "")
    return None if found is None else found[1]


def accepted_bearers(signing_keys: Iterable[str]) -> list[str]:
    """What may be presented: each key as it is, and as SDKs send it, with and without its prefix."""
    accepted = []
    for key in signing_keys:
        accepted.append(key)
        sent = hashed(key)
        if sent is not None:
            accepted += [sent, sent.rpartition("-")[2]]
    return accepted


def is_one_of(presented: str, accepted: Iterable[str]) -> bool:
    """Whether the presented text is one of these. All are compared: the time taken tells nothing of which matched."""
    matches = [hmac.compare_digest(one.encode(), presented.encode("utf-8", "replace")) for one in accepted]
    return any(matches)
