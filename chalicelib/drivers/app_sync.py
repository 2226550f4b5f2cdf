"""The request that asks an app for its functions, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import urllib3

from chalicelib.core import signing
from chalicelib.core.apps import NotSynced
from chalicelib.core.clock import Clock

# The API's own request ends after 29 s.
_TIMEOUT = urllib3.Timeout(connect=5, total=20)
_MOST_BYTES = 6 * 1024 * 1024

SIGNATURE = "x-inngest-signature"


class HttpAppCaller:
    """Implements engine.ports.AppCaller. `keys` tells the signing keys, newest first; none in development, where
    nothing is signed."""

    def __init__(self, keys: Callable[[], Sequence[str]], clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=2)

    def put(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        keys = self._keys()
        signed = {**headers, SIGNATURE: signing.sign(body, keys[0], self._now_s())} if keys else dict(headers)
        status, answered, content = self._send(url, signed, body)
        if keys and status == 200 and answered.get("x-inngest-sync-kind", "") == "in_band":
            # What it says is called with our signature from now on.
            problem = signing.signature_problem(answered.get(SIGNATURE, ""), content, keys, self._now_s())
            if problem is not None:
                raise NotSynced(f"the answer of the app at {url} cannot be trusted: its signature, {problem}")
        return status, answered, content

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000

    def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        try:
            answer = self._pool.request(
                "PUT",
                url,
                body=body,
                headers=headers,
                timeout=_TIMEOUT,
                # The user asked for this address; where else it leads is for the user to say.
                redirect=False,
                retries=False,
                preload_content=False,
            )
            try:
                content = answer.read(_MOST_BYTES + 1, decode_content=True)
            finally:
                answer.close()
        except urllib3.exceptions.HTTPError as error:
            raise NotSynced(f"the app at {url} cannot be reached: {error}") from None
        if len(content) > _MOST_BYTES:
            raise NotSynced(f"the app at {url} answered with more than {_MOST_BYTES:,} bytes")
        location = answer.headers.get("location")
        if 300 <= answer.status < 400 and location:
            raise NotSynced(f"the app at {url} sends us on to {location!r}: sync that address")
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, content
