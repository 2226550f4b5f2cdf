"""Addresses of apps: what can be called at all, and what may be by its looks. What a name leads to is checked at each
call."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from chalicelib.core import limits

# Of the SDK protocol: they name the function, the step and the sync of a single request.
_OF_A_CALL = frozenset({"fnId", "stepId"})
_OF_A_SYNC = frozenset({"deployId"})
_METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
_METADATA_ADDRESSES = frozenset({ipaddress.ip_address("fd00:ec2::254")})
# What old C libraries take for an IPv4 address: one to four numbers, also octal and hexadecimal.
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?", re.IGNORECASE)


def check(text: str, *, local_allowed: bool) -> str:
    """The address of an app, without what only a single request adds. Raises ValueError."""
    return _without(_checked(text, local_allowed), _OF_A_SYNC)


def check_endpoint(text: str, *, local_allowed: bool) -> str:
    """The same for where a function is called. Raises ValueError."""
    return _without(_checked(text, local_allowed), _OF_A_CALL | _OF_A_SYNC)


def _checked(text: str, local_allowed: bool) -> SplitResult:
    if len(text) > limits.MAX_URL_CHARS:
        raise ValueError(f"has {len(text)} characters; the limit is {limits.MAX_URL_CHARS}")
    if not text.isprintable() or " " in text:
        raise ValueError("must have no spaces or characters that cannot be seen")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    if parts.scheme in ("ws", "wss"):
        raise ValueError(NO_CONNECT)
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with https:// or http://")
    if not host or port == 0:
        raise ValueError("must name a host" if not host else "must not have the port 0")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or a password")
    problem = None if local_allowed else _why_not(host)
    if problem is not None:
        raise ValueError(f"must be an address that Stepwell can reach from where it runs: {problem}")
    return parts


NO_CONNECT = (
    "connect (an outgoing WebSocket of the app) is not supported: Stepwell runs in Lambda, where nothing can hold a "
    "connection open. Serve the app over HTTP, with the SDK's serve"
)


def _why_not(host: str) -> str | None:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return f"{host} is the machine itself"
    if name in _METADATA_HOSTS:
        return f"{host} is the metadata service of the machine"
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return f"write {host} as four decimal numbers" if _NUMERIC.fullmatch(name) else None
    return _why_not_address(address)


def _why_not_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return _why_not_address(inner)
    if address.is_loopback or address.is_unspecified:
        return f"{address} is the machine itself"
    if address.is_link_local or address in _METADATA_ADDRESSES:
        return f"{address} is link-local, where the machine's metadata lies"
    if address.is_multicast:
        return f"{address} is a multicast address"
    return None


def _without(parts: SplitResult, names: frozenset[str]) -> str:
    """Without these parameters and without a fragment, which is never sent. The others stay as they were written
    unless one of these has to go."""
    query = parts.query
    pairs = parse_qsl(query, keep_blank_values=True)
    if any(name in names for name, _ in pairs):
        query = urlencode([(name, value) for name, value in pairs if name not in names])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
