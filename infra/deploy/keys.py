"""Event keys and signing keys as values: made, listed, added, removed. Pure: randomness comes in.

A parameter holds one or more keys, one a line, the newest first. All of them are accepted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from infra.deploy.problems import DeployError

MAX_BYTES: Final = 4096
"""What a standard parameter of SSM holds."""
ENTROPY_BYTES: Final = 32
_EVENT_KEY: Final = re.compile(r"[A-Za-z0-9_-]{32,128}")


class Kind(StrEnum):
    """What a key is for."""

    EVENT = "event"
    """Whoever sends events to /e/{key} needs one."""
    SIGNING = "signing"
    """The bearer of the API: people, tools and SDKs read and steer with it."""


def parameter(stage: str, kind: Kind) -> str:
    """The name of the SSM parameter."""
    return f"/stepwell/{stage}/{kind.value}-keys"


def made(kind: Kind, stage: str, entropy: bytes) -> str:
    """A key from 32 random bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a key needs {ENTROPY_BYTES} bytes")
    if kind is Kind.SIGNING:
        return f"signkey-{stage.replace('-', '_')}-{entropy.hex()}"
    text = base64.urlsafe_b64encode(entropy).decode().rstrip("=")
    # Commands take what begins with a dash for an option, and a key is removed by its beginning.
    return text if text[0] != "-" else f"0{text[1:]}"


def parse(text: str) -> tuple[str, ...]:
    """The keys of a parameter, newest first; empty lines and repetitions count for nothing."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def render(keys: Sequence[str]) -> str:
    """A parameter's text. Raises DeployError when there are too many."""
    text = "\n".join(keys)
    if len(text.encode()) > MAX_BYTES:
        raise DeployError(f"{len(keys)} keys do not fit into one parameter ({MAX_BYTES} bytes): remove old ones first.")
    return text


def added(keys: Sequence[str], new: str) -> tuple[str, ...]:
    """With a new key, which is the one to give away from now on."""
    return (new, *(key for key in keys if key != new))


def removed(keys: Sequence[str], part: str, *, force: bool = False) -> tuple[tuple[str, ...], str]:
    """Without the one key that begins or ends with `part`; what is left, and the key. Raises DeployError."""
    if len(part) < 4:
        raise DeployError("Name the key by at least 4 of its first or last characters.")
    found = [key for key in keys if key.startswith(part) or key.endswith(part)]
    if not found:
        raise DeployError(f"No key begins or ends with {part!r}. `keys list` shows them.")
    if len(found) > 1:
        raise DeployError(f"{len(found)} keys begin or end with {part!r}: give more characters, best the last ones.")
    if len(keys) == 1 and not force:
        raise DeployError(
            "This is the last key: without it every request is refused. Add a new one first, or say --force."
        )
    return tuple(key for key in keys if key != found[0]), found[0]


def masked(key: str) -> str:
    """Enough to tell keys apart, too little to use one."""
    shown = key.rsplit("-", 1)[0] + "-" if key.startswith("signkey-") else key[:4]
    return f"{shown}…{key[-6:]}"


def problem(kind: Kind, key: str) -> str | None:
    """Why a key cannot be used; None for a good one."""
    if kind is Kind.EVENT and not _EVENT_KEY.fullmatch(key):
        return f"the event key {masked(key)} must have 32 to 128 of the characters A-Z a-z 0-9 _ -"
    if kind is Kind.SIGNING and not re.fullmatch(r"signkey-[a-z0-9_]+-[0-9a-f]{64}", key):
        return f"the signing key {masked(key)} must be signkey-<stage>- and 64 hexadecimal digits"
    return None
