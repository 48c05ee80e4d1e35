"""Which network addresses may be fetched from. Pure.

The special-purpose registries of IANA (RFC 6890 and its updates), of which Python's `ipaddress` keeps a copy, and the
addresses inside addresses: an IPv6 address that carries an IPv4 one leads where the IPv4 address leads.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

__all__ = ["INTERNAL", "refusal"]

Address: TypeAlias = IPv4Address | IPv6Address

INTERNAL: Final = ("a loopback address", "a private address")
"""Kinds that can be allowed."""

_METADATA: Final = frozenset(map(ip_address, ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
"""Where clouds tell a machine its keys, beside 169.254.0.0/16: Azure, Alibaba, Oracle, AWS over IPv6."""

_SHARED: Final = IPv4Network("100.64.0.0/10")
_PRIVATE_4: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_UNIQUE_LOCAL: Final = IPv6Network("fc00::/7")
_GLOBAL_6: Final = IPv6Network("2000::/3")
"""All of IPv6 that was ever given out for the public."""
_SPECIAL: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""Tunnels that carry an IPv4 address (Teredo, 6to4), documentation: global to some versions of `ipaddress`."""
_SPECIAL_4: Final = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


def refusal(address: str, *, allow_private: bool = False) -> str:
    """Why nothing is fetched from `address`; empty where it may be.

    `allow_private` admits loopback, private (RFC 1918, RFC 4193) and shared (RFC 6598) addresses. Link-local,
    multicast, unspecified and reserved ones and the metadata services of clouds are never fetched from.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "not an address"
    inner = _carried(found)
    kind = _kind(found if inner is None else inner)
    return "" if not kind or (allow_private and kind in INTERNAL) else kind


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address to which an IPv6 address leads, if it is of a kind that leads to one."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    low = int(address) & 0xFFFFFFFF
    if address in _NAT64 or (address in _COMPATIBLE and low > 1):
        return IPv4Address(low)
    return None


def _kind(address: Address) -> str:
    """What an address is for, where it is not for the public; empty where it is."""
    kinds = (
        (address in _METADATA, "the metadata service of a cloud"),
        (address.is_unspecified, "the unspecified address"),
        (address.is_loopback, "a loopback address"),
        (address.is_link_local, "a link-local address"),
        (address.is_multicast, "a multicast address"),
        (_is_private(address), "a private address"),
        (not address.is_global or address.is_reserved or _is_special(address), "a reserved address"),
    )
    return next((kind for holds, kind in kinds if holds), "")


def _is_private(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address in _SHARED or any(address in network for network in _PRIVATE_4)
    return address in _UNIQUE_LOCAL or address.is_site_local


def _is_special(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _SPECIAL_4)
    return address not in _GLOBAL_6 or any(address in network for network in _SPECIAL)
