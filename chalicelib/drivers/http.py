"""Calls apps on an SDK over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, ErrorInfo, Raised, Reply
from chalicelib.core.canonical import NoCanonicalForm
from chalicelib.core.clock import Clock
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.sdk_protocol import Answer, Prepared, Sender, prepare, reply_of
from chalicelib.drivers.transport import Transport, Unanswered

# Of a call that no invocation's end bounds.
_DEFAULT_MS: Final = 15 * limits.MINUTE_MS
_LEAST_MS: Final = limits.SECOND_MS
_TOO_LARGE: Final = 413


class SigningKeys(Protocol):
    """Which key calls are signed with."""

    def signing_key(self) -> str | None:
        """The newest signing key; None where there is none."""
        ...


class Caller:
    """Who calls apps: in development (where no keys are) unsigned, as `dev`; in production signed, as `cloud`.

    `env` is the environment's name. `keys` None: development.
    """

    def __init__(self, env: str, keys: SigningKeys | None) -> None:
        self._env = env
        self._keys = keys

    def sender(self) -> Sender:
        """As it is now. Raises InfrastructureError where the keys cannot be read."""
        if self._keys is None:
            return Sender("dev", self._env, None)
        return Sender("cloud", self._env, self._keys.signing_key())


class HttpDriver:
    """Implements drivers.dispatch.AppDriver. Threads may call at once. `new_id` names each request."""

    def __init__(self, transport: Transport, caller: Caller, clock: Clock, new_id: Callable[[], str]) -> None:
        self._transport = transport
        self._caller = caller
        self._clock = clock
        self._new_id = new_id

    def call(self, config: FunctionConfig, request: CallRequest) -> Reply:
        """Enter the function once."""
        if not config.endpoint:
            return Raised(ErrorInfo.of("AppMissing", f"the function {config.id!r} has no URL: register its app again"))
        sender = self._caller.sender()
        until_ms = call_ends_ms(request, self._clock.now_ms())
        try:
            sent, answer = self._ask(config.endpoint, request, sender, until_ms, use_api=False)
            if answer.status == _TOO_LARGE and not answer.is_of_sdk and not sent.uses_api:
                # Something before the app takes less than we send: the function was not entered.
                _, answer = self._ask(config.endpoint, request, sender, until_ms, use_api=True)
        except Unanswered as error:
            return Raised(error.info, error.retriable)
        except NoCanonicalForm as error:
            return unsendable(error)
        return reply_of(answer, now_ms=self._clock.now_ms(), signing_key=sender.signing_key)

    def _ask(
        self, url: str, request: CallRequest, sender: Sender, until_ms: int, *, use_api: bool
    ) -> tuple[Prepared, Answer]:
        now_ms = self._clock.now_ms()
        sent = prepare(request, url, sender, now_ms=now_ms, request_id=self._new_id(), use_api=use_api)
        answer = self._transport.send(
            "POST", sent.url, sent.headers, sent.body, until_ms=until_ms, max_bytes=limits.MAX_ANSWER_BYTES
        )
        return sent, answer


def call_ends_ms(request: CallRequest, now_ms: int) -> int:
    """When a call is given up: early enough for its end to be recorded within the invocation."""
    if request.deadline_ms is None:
        return now_ms + _DEFAULT_MS
    return max(now_ms + _LEAST_MS, request.deadline_ms - limits.CALL_MARGIN_MS)


def unsendable(error: NoCanonicalForm) -> Raised:
    """The reply for a call whose event or steps cannot be signed."""
    return Raised(ErrorInfo.of("Unsendable", f"the run's event and steps cannot be sent: {error}"), retriable=False)
