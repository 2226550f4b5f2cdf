"""Where apps may be called. In production a URL must not lead into our own network, whatever it says and whatever its
name resolves to at the moment of the call: who may register an app could otherwise read what only we can reach."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from chalicelib.core.errors import UserError
from chalicelib.core.urls import shown

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

_PORTS: Final = {"http": 80, "https": 443}
# IPv6 addresses that stand for an IPv4 address in their last 32 bits.
_TRANSLATED: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
# Not for the public (IANA's registries of special-purpose addresses), though not every version of Python knows it.
_SPECIAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "100::/64", "3fff::/20", "5f00::/16", "fec0::/10")
)
# ISATAP (RFC 5214): the last 32 bits of an interface so named are an IPv4 address.
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})


class AddressRefused(UserError):
    """A URL that cannot be called, or must not be."""


@dataclass(frozen=True)
class Target:
    """A URL, taken apart. `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises AddressRefused for what is no http(s) URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError as error:  # UnicodeError, too.
        raise AddressRefused(f"{shown(url)!r} is not a URL: {error}") from None
    if parts.scheme not in _PORTS:
        raise AddressRefused(f"{shown(url)!r}: only http:// and https:// URLs are called")
    if not host:
        raise AddressRefused(f"{shown(url)!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused(f"the URL of {host} holds a user name or a password, which is not sent: remove it")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~-._") if parts.query else ""
    )
    return Target(parts.scheme, host, port if port is not None else _PORTS[parts.scheme], path)


class Addresses:
    """Resolves hosts to the addresses that may be called.

    In production (`is_open` false) those are public ones and what lies in `allowed`. `resolve` gives the addresses of
    a host and raises OSError.
    """

    def __init__(self, *, is_open: bool, allowed: Sequence[IpNetwork] = (), resolve: Resolve | None = None) -> None:
        self._is_open = is_open
        self._allowed = tuple(allowed)
        self._resolve = resolve if resolve is not None else resolved

    def of(self, target: Target) -> list[str]:
        """The addresses to try, in order. Raises AddressRefused, and OSError where the name does not resolve."""
        found = list(dict.fromkeys(self._resolve(target.host, target.port)))
        permitted = [address for address in found if self._is_open or self._is_permitted(address)]
        if found and not permitted:
            raise AddressRefused(
                f"{target.host} is at {', '.join(found)}, which is not a public address: in production such an app is "
                "not called unless STEPWELL_APP_NETWORKS allows its network"
            )
        return permitted

    def _is_permitted(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        meant = _meant(address)
        if any(one in network for one in (address, meant) for network in self._allowed):
            return True
        if any(one in network for one in (address, meant) for network in _SPECIAL):
            return False
        is_public = meant.is_global and address.is_global
        return is_public and not meant.is_multicast and not meant.is_reserved


def _meant(address: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    embedded = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    is_translated = any(address in network for network in _TRANSLATED) or int(address) >> 32 == 0
    if embedded is None and (is_translated or (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP):
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return embedded or address


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system knows them. Raises OSError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
