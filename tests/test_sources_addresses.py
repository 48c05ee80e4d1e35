"""Which addresses may be fetched from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingestion.sources.addresses import INTERNAL, refusal

NAT64 = ip_network("64:ff9b::/96")
PUBLIC = ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8"]
PRIVATE = ["127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1"]
PRIVATE += ["fc00::1", "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "::127.0.0.1"]
NEVER = ["0.0.0.0", "::", "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1"]
NEVER += ["255.255.255.255", "240.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "2001:db8::1"]
NEVER += ["168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "::ffff:169.254.169.254"]
NEVER += ["64:ff9b:1::808:808", "3fff::1", "4000::1", "192.88.99.1", "5f00::1"]
NEVER += ["64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:7f00:1::", "0.1.2.3", "localhost", "", "127.1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_fetched_from(address: str):
    assert refusal(address) == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_internal_addresses_are_fetched_from_only_when_allowed(address: str):
    assert refusal(address) in INTERNAL
    assert refusal(address, allow_private=True) == ""


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_fetched_from(address: str):
    assert refusal(address)
    assert refusal(address, allow_private=True)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_like_itself(address: IPv4Address):
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    translated = IPv6Address(IPv6Address("64:ff9b::").packed[:12] + address.packed)
    for allowed in (False, True):
        assert refusal(str(mapped), allow_private=allowed) == refusal(str(address), allow_private=allowed)
        assert refusal(str(translated), allow_private=allowed) == refusal(str(address), allow_private=allowed)


@given(st.ip_addresses())
def test_only_global_addresses_pass(address: IPv4Address | IPv6Address):
    assume(not refusal(str(address)))
    inner = getattr(address, "ipv4_mapped", None) or address
    assert ip_address(str(inner)).is_global or address in NAT64


@given(st.ip_addresses())
def test_allowing_private_addresses_allows_more_and_nothing_less(address: IPv4Address | IPv6Address):
    if not refusal(str(address)):
        assert not refusal(str(address), allow_private=True)
