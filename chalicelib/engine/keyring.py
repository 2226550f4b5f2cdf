"""Which keys are right: read seldom, and soon again when a key is presented that is not known."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chalicelib.core import limits, signing
from chalicelib.core.clock import Clock
from chalicelib.core.errors import InfrastructureError, UserError
from chalicelib.core.signing import KeySet
from chalicelib.engine.logs import logger
from chalicelib.engine.operator_ports import Keys

KEPT_MS = limits.MINUTE_MS
# Between two readings, whatever is presented: a new key works soon, and nobody can make us read per request.
APART_MS = 10 * limits.SECOND_MS
# The same before they could be read at all: nobody gets in until then.
FIRST_APART_MS = limits.SECOND_MS


class NoSigningKey(UserError):
    """A key is needed that is not there."""


class Keyring:
    """The keys of this process. Raises InfrastructureError where they could never be read."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._known: KeySet | None = None
        self._read_ms = 0
        self._tried_ms: int | None = None
        self._lock = threading.Lock()

    def accepts_event_key(self, key: str) -> bool:
        return self._is_right(key, lambda known: known.event_keys)

    def accepts_authorization(self, header: str | None) -> bool:
        """Whether an Authorization header holds a signing key, as it is or as SDKs send it."""
        token = signing.bearer_of(header)
        if token is None:
            return False
        return self._is_right(token, lambda known: signing.accepted_bearers(known.signing_keys))

    def signing_key(self) -> str | None:
        """The newest signing key, which calls to apps are signed with; None where there is none."""
        with self._lock:
            return next(iter(self._current(KEPT_MS).signing_keys), None)

    def run_token(self, run_id: str) -> str:
        """What lets somebody without a key read the result of this run. Raises NoSigningKey."""
        key = self.signing_key()
        if key is None:
            raise NoSigningKey("this deployment has no signing key")
        return signing.run_token(run_id, key)

    def accepts_run_token(self, run_id: str, token: str) -> bool:
        return self._is_right(token, lambda known: [signing.run_token(run_id, key) for key in known.signing_keys])

    def _is_right(self, presented: str, accepted: Callable[[KeySet], list[str] | tuple[str, ...]]) -> bool:
        with self._lock:
            known = self._current(KEPT_MS)
            if signing.is_one_of(presented, accepted(known)):
                return True
            return signing.is_one_of(presented, accepted(self._current(APART_MS)))

    def _current(self, kept_ms: int) -> KeySet:
        """The keys as they were read at most so long ago, or, where they cannot be read, as they were."""
        now = self._clock.now_ms()
        apart_ms = FIRST_APART_MS if self._known is None else APART_MS
        is_apart = self._tried_ms is None or now - self._tried_ms >= apart_ms
        if self._known is not None and (now - self._read_ms < kept_ms or not is_apart):
            return self._known
        if not is_apart:
            raise InfrastructureError("the keys could not be read a moment ago")
        self._tried_ms = now
        try:
            self._known = self._keys.read()
        except InfrastructureError as error:
            if self._known is None:
                raise
            logger.warning("the keys could not be read; those known stay in use", extra={"error": str(error)})
        else:
            self._read_ms = now
            if self._known.ignored:
                # Which ones is not told: a key with a slip in it is a secret all the same.
                logger.warning("lines that are no keys were ignored", extra={"count": self._known.ignored})
        return self._known
