"""Where apps may be called in production, and where not."""

from __future__ import annotations

import ipaddress

import pytest

from chalicelib.drivers.addresses import Addresses, AddressRefused, Target, resolved, target_of


def production(*found: str, allowed: tuple[str, ...] = ()) -> Addresses:
    networks = tuple(ipaddress.ip_network(one) for one in allowed)
    return Addresses(is_open=False, allowed=networks, resolve=lambda _host, _port: found)


TARGET = target_of("https://shop.example/api/inngest")


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e"])
def test_public_addresses_are_called(address: str) -> None:
    assert production(address).of(TARGET) == [address]


INWARD = [
    *("127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::", "0.1.2.3"),
    *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1"),
    *("169.254.169.254", "169.254.170.2", "169.254.1.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254"),
    *("224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1"),
    # Within an IPv6 address: mapped, compatible, translated, 6to4, Teredo.
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::7f00:1"),
    *("64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1"),
    *("2002:a00:1::", "2600::5efe:127.0.0.1", "2600::200:5efe:a00:1", "::ffff:0:169.254.169.254"),
    # Special ones, which some versions of Python take for public: a provider's metadata, relays, documentation.
    *("192.0.0.192", "192.0.0.8", "192.88.99.1", "3fff::1", "5f00::1", "64:ff9b:1:7f00:0:100::", "100.100.100.200"),
    "nonsense",
]


@pytest.mark.parametrize("address", INWARD)
def test_addresses_that_lead_into_our_own_network_are_not(address: str) -> None:
    with pytest.raises(AddressRefused, match=r"not a public address: in production .* unless STEPWELL_APP_NETWORKS"):
        production(address).of(TARGET)


@pytest.mark.parametrize("address", INWARD[:-1])
def test_in_development_every_address_is_called(address: str) -> None:
    assert Addresses(is_open=True, resolve=lambda _host, _port: [address]).of(TARGET) == [address]


def test_of_several_addresses_only_those_that_may_be_are_called() -> None:
    assert production("10.0.0.1", "8.8.8.8", "::1", "8.8.8.8").of(TARGET) == ["8.8.8.8"]


def test_networks_of_one_s_own_are_called_when_they_are_named() -> None:
    addresses = production("10.1.2.3", "10.2.0.1", "::ffff:10.1.0.9", "fd00::1", allowed=("10.1.0.0/16", "fd00::/64"))
    assert addresses.of(TARGET) == ["10.1.2.3", "::ffff:10.1.0.9", "fd00::1"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
def test_what_the_system_takes_for_this_machine_is_this_machine(host: str) -> None:
    """However it is written: the address that is checked is the one that the system finds."""
    try:
        found = resolved(host, 80)
    except OSError:
        return  # This system does not even take it for an address.
    assert found
    with pytest.raises(AddressRefused):
        Addresses(is_open=False).of(Target("http", host, 80, "/"))


@pytest.mark.parametrize(
    ("url", "target", "header"),
    [
        ("http://a.example", Target("http", "a.example", 80, "/"), "a.example"),
        ("https://A.example:8443/x?y=1#z", Target("https", "a.example", 8443, "/x?y=1"), "a.example:8443"),
        ("https://a.example:443/é?ü=1", Target("https", "a.example", 443, "/%C3%A9?%C3%BC=1"), "a.example"),
        ("http://[::1]:80/%2F", Target("http", "::1", 80, "/%2F"), "[::1]"),
        ("https://bücher.example", Target("https", "xn--bcher-kva.example", 443, "/"), "xn--bcher-kva.example"),
    ],
)
def test_a_url_is_taken_apart(url: str, target: Target, header: str) -> None:
    assert target_of(url) == target
    assert target.host_header == header


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://a.example", "only http:// and https://"),
        ("file:///etc/passwd", "only http:// and https://"),
        ("a.example/x", "only http:// and https://"),
        ("", "only http:// and https://"),
        ("http://", "names no host"),
        ("http://a.example:99999/", "is not a URL"),
        ("http://a.example:x/", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("http://user:secret@a.example/", "holds a user name or a password"),
        ("http://" + "é" * 100 + ".example/", "is not a URL"),
    ],
)
def test_what_is_no_url_of_an_app_is_refused(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused, match=reason) as refused:
        target_of(url)
    assert "secret" not in str(refused.value)
