"""The request that asks an app for its functions, over HTTP or through Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.core import limits, signing
from chalicelib.core.apps import NotSynced
from chalicelib.core.clock import Clock
from chalicelib.core.sdk_protocol import Answer
from chalicelib.core.sdk_protocol.lambda_event import endpoint_of
from chalicelib.drivers.aws_lambda import LambdaTransport
from chalicelib.drivers.http import SigningKeys
from chalicelib.drivers.transport import Transport, Unanswered

# The API's own request ends after 29 s.
_TIMEOUT_MS: Final = 20_000
_SIGNATURE: Final = "x-inngest-signature"


class AppAsker:
    """Implements engine.app_ports.AppCaller. `keys` None: development, where nothing is signed."""

    def __init__(
        self, over_http: Transport, over_lambda: LambdaTransport, keys: SigningKeys | None, clock: Clock
    ) -> None:
        self._over_http = over_http
        self._over_lambda = over_lambda
        self._keys = keys
        self._clock = clock

    def put(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        now_ms = self._clock.now_ms()
        key = None if self._keys is None else self._keys.signing_key()
        signed = dict(headers) if key is None else {**headers, _SIGNATURE: signing.sign(body, key, now_ms // 1000)}
        try:
            answer = self._sent(url, signed, body, now_ms + _TIMEOUT_MS)
        except Unanswered as error:
            raise NotSynced(f"the app at {url} cannot be asked: {error}") from None
        if key is not None and answer.headers.get("x-inngest-sync-kind", "") == "in_band":
            self._check(url, answer, key)
        return answer.status, answer.headers, answer.body

    def _sent(self, url: str, headers: Mapping[str, str], body: bytes, until_ms: int) -> Answer:
        if url.startswith("arn:"):
            endpoint = endpoint_of(url)
            payload = self._over_lambda.payload("PUT", endpoint.url, headers, body)
            return self._over_lambda.send(endpoint, payload, until_ms=until_ms)
        return self._over_http.send("PUT", url, headers, body, until_ms=until_ms, max_bytes=limits.MAX_ANSWER_BYTES)

    def _check(self, url: str, answer: Answer, key: str) -> None:
        """What the answer names is called from now on. Raises NotSynced."""
        signature = answer.headers.get(_SIGNATURE)
        if signature is None and not url.startswith("http:"):
            return  # An SDK need not sign, and TLS or IAM tells who answered.
        problem = signing.signature_problem(signature or "", answer.body, [key], self._clock.now_ms() // 1000)
        if problem is not None:
            raise NotSynced(f"the answer of the app at {url} cannot be trusted. Its signature: {problem}")
