"""Keys: how they are written down, when a presented one is right, and what is signed with them. Every comparison takes
the same time for every key, right or wrong."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_SIGNING_KEY = re.compile(r"(signkey-[A-Za-z0-9_]+-)([0-9a-fA-F]+)")
_EVENT_FORM = re.compile(r"[A-Za-z0-9_-]{16,128}")
_SIGNING_FORM = re.compile(r"signkey-[A-Za-z0-9_]{1,40}-(?:[0-9a-fA-F]{2}){16,64}")
_PREFIX = re.compile(r"signkey-\w+-")
_SIGNATURE = re.compile(r"t=([0-9]{1,12})&s=([0-9a-f]{64})")
_BEARER = re.compile(r"[Bb]earer +([!-~]+) *")

SIGNATURE_TOLERANCE_S: Final = 300
"""A signature is right for so long, and may be ahead of our clock by as much."""


@dataclass(frozen=True)
class KeySet:
    """The keys that are right now; several of a kind, so that they can be rotated without downtime."""

    event_keys: tuple[str, ...] = ()
    signing_keys: tuple[str, ...] = ()
    # Lines that are no keys.
    ignored: int = 0


def parse_event_keys(value: str) -> tuple[tuple[str, ...], int]:
    """The keys of a parameter's value, one a line, newest first; and how many lines are none, such as a comment or
    the word that somebody wrote to close the entrance."""
    return _parsed(value, _EVENT_FORM)


def parse_signing_keys(value: str) -> tuple[tuple[str, ...], int]:
    """The same for signing keys."""
    return _parsed(value, _SIGNING_FORM)


def _parsed(value: str, form: re.Pattern[str]) -> tuple[tuple[str, ...], int]:
    lines = [line.strip() for line in value.splitlines() if line.strip()]
    keys = tuple(dict.fromkeys(line for line in lines if form.fullmatch(line)))
    return keys, sum(form.fullmatch(line) is None for line in lines)


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


def sign(body: bytes, signing_key: str, now_s: int) -> str:
    """The value of X-Inngest-Signature: the time in seconds, and the HMAC of body and time under the key without its
    prefix. Of a call the body is signed in its canonical form (core.canonical), of an answer as it is."""
    return f"t={now_s}&s={_mac(body, signing_key, str(now_s))}"


def _mac(body: bytes, signing_key: str, time: str) -> str:
    key = _PREFIX.sub("", signing_key, count=1) if _PREFIX.match(signing_key) else signing_key
    return hmac.new(key.encode(), body + time.encode(), hashlib.sha256).hexdigest()


def run_token(run_id: str, signing_key: str) -> str:
    """What lets somebody without a key read the result of one run."""
    return hmac.new(signing_key.encode(), b"stepwell run result\x00" + run_id.encode(), hashlib.sha256).hexdigest()


def signature_problem(header: str, body: bytes, signing_keys: Iterable[str], now_s: int) -> str | None:
    """What is wrong with a signature of this body; None when one of the keys made it within the last five minutes."""
    found = _SIGNATURE.fullmatch(header)
    if found is None:
        return "it is not of the form t=…&s=…"
    if not is_one_of(found[2], [_mac(body, key, found[1]) for key in signing_keys]):
        return "it was not made with our signing key for this body"
    age_s = now_s - int(found[1])
    if abs(age_s) > SIGNATURE_TOLERANCE_S:
        how = f"{age_s} s old" if age_s > 0 else f"{-age_s} s ahead of our clock"
        return f"it is {how}; at most {SIGNATURE_TOLERANCE_S} s are allowed"
    return None
