"""Addresses of apps: what can be called at all, and what may be by its looks. What a name leads to is checked at each
call."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from chalicelib.core import limits

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Of the SDK protocol: they name the function, the step and the sync of a single request.
_OF_A_CALL = frozenset({"fnId", "stepId"})
_OF_A_SYNC = frozenset({"deployId"})
_METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
_METADATA_ADDRESSES = frozenset({ipaddress.ip_address("fd00:ec2::254")})
# What old C libraries take for an IPv4 address: one to four numbers, also octal and hexadecimal.
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?", re.IGNORECASE)
_CREDENTIALS = re.compile(r"\A((?:[^:/?#]*:)?/{0,3})[^/?#]*@")
_SHOWN_CHARS = 200


@dataclass(frozen=True)
class Reach:
    """Where apps may be served: anywhere in development; else not on the machine itself and its like, unless that
    lies in one of the networks, and of Lambda functions by these."""

    is_open: bool
    networks: tuple[_Network, ...] = ()
    lambdas: tuple[str, ...] = ()

    def may_invoke(self, arn: str) -> bool:
        return self.is_open or arn in self.lambdas


def check(text: str, reach: Reach) -> str:
    """The address of an app, without what only a single request adds. Raises ValueError."""
    return _without(_checked(text, reach), _OF_A_SYNC)


def check_endpoint(text: str, reach: Reach) -> str:
    """The same for where a function is called. Raises ValueError."""
    return _without(_checked(text, reach), _OF_A_CALL | _OF_A_SYNC)


def shown(text: str) -> str:
    """An address as it may be told: without a password that somebody wrote into it."""
    return _CREDENTIALS.sub(r"\1***@", text)[:_SHOWN_CHARS]


def _checked(text: str, reach: Reach) -> SplitResult:
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
        raise ValueError("must not have the port 0" if host else "must name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or a password")
    problem = None if reach.is_open else _why_not(host, reach.networks)
    if problem is not None:
        raise ValueError(f"must be an address that Stepwell can reach from where it runs: {problem}")
    return parts


NO_CONNECT = (
    "connect (an outgoing WebSocket of the app) is not supported: Stepwell runs in Lambda, where nothing can hold a "
    "connection open. Serve the app over HTTP, with the SDK's serve"
)


def _why_not(host: str, networks: tuple[_Network, ...]) -> str | None:
    name = host.rstrip(".").lower()
    if name in _METADATA_HOSTS:
        return f"{host} is the metadata service of the machine"
    if name == "localhost" or name.endswith(".localhost"):
        name = "127.0.0.1"
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return f"write {host} as four decimal numbers" if _NUMERIC.fullmatch(name) else None
    meant = _meant(address)
    if any(one in network for one in (address, meant) for network in networks):
        return None
    if meant.is_loopback or meant.is_unspecified:
        return f"{host} is the machine itself"
    if meant.is_link_local or meant in _METADATA_ADDRESSES:
        return f"{host} is link-local, where the machine's metadata lies"
    return f"{host} is a multicast address" if meant.is_multicast else None


def _meant(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or address.sixtofour or address


def _without(parts: SplitResult, names: frozenset[str]) -> str:
    """Without these parameters and without a fragment, which is never sent. The others stay as they were written
    unless one of these has to go."""
    query = parts.query
    pairs = parse_qsl(query, keep_blank_values=True)
    if any(name in names for name, _ in pairs):
        query = urlencode([(name, value) for name, value in pairs if name not in names])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
