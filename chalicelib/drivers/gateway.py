"""Requests to servers that users name, for their steps: to checked addresses only, as all that is sent outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urljoin, urlsplit

from chalicelib.core import limits
from chalicelib.core.calls import GatewayOptions
from chalicelib.core.gateway import GatewayAnswer, GatewayFault
from chalicelib.core.sdk_protocol import Answer
from chalicelib.drivers.transport import Transport, Unanswered

_REDIRECTS: Final = (301, 302, 303, 307, 308)
# What another server may be told than the one that the user named: the other headers may hold keys.
_FOR_ANYONE: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
# Of one connection, not of the answer.
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})


class HttpGateway:
    """Implements engine.ports.Gateway."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(self, options: GatewayOptions, deadline_ms: int) -> GatewayAnswer | GatewayFault:
        """Make the request, following a few redirects as `fetch` does."""
        for _ in range(limits.MAX_GATEWAY_REDIRECTS + 1):
            try:
                answer = self._send(options, deadline_ms)
            except Unanswered as error:
                # A name that leads into our own network does so the next time, too.
                retriable = error.retriable and error.info.name != "AddressRefused"
                return GatewayFault(str(error), retriable=retriable)
            following = _following(options, answer)
            if following is None:
                headers = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
                return GatewayAnswer(answer.status, headers, answer.body, options.url)
            options = following
        return GatewayFault(f"more than {limits.MAX_GATEWAY_REDIRECTS} redirects", retriable=False)

    def _send(self, options: GatewayOptions, deadline_ms: int) -> Answer:
        headers = {"user-agent": "stepwell", **{name.lower(): value for name, value in options.headers.items()}}
        return self._transport.send(
            options.method,
            options.url,
            headers,
            options.body.encode(errors="replace"),
            until_ms=deadline_ms,
            max_bytes=limits.MAX_STEP_OUTPUT_BYTES,
            follows=False,
        )


def _following(options: GatewayOptions, answer: Answer) -> GatewayOptions | None:
    """The request that a redirect leads to."""
    location = answer.headers.get("location", "")
    if answer.status not in _REDIRECTS or not location:
        return None
    url = urljoin(options.url, location)
    headers: Mapping[str, str] = options.headers
    if _origin(url) != _origin(options.url):
        headers = {name: value for name, value in headers.items() if name.lower() in _FOR_ANYONE}
    becomes_get = answer.status == 303 or (answer.status in (301, 302) and options.method == "POST")
    if not becomes_get or options.method == "HEAD":
        return options.model_copy(update={"url": url, "headers": dict(headers)})
    kept = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
    return options.model_copy(update={"url": url, "headers": kept, "method": "GET", "body": ""})


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return url, None, None
