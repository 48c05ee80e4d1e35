"""Which link targets belong to the text.

An address costs a passage 20 tokens and says little to an encoder, but an answer that quotes "download it here"
without one is useless. So the address stays, as `label (address)`, where a reader could type it and it leads
somewhere new: absolute, short, without a query, not told by the label itself, and once in a document.
"""

from __future__ import annotations

import re
from typing import Final

MAX_ADDRESS: Final = 100
_KEPT: Final = ("http://", "https://", "ftp://", "mailto:", "doi:")
_MARK: Final = re.compile(r"[\W\d_]*|.?")
"""Labels such as [1] or ^: references, whose target has its own place."""


def with_address(label: str, address: str, told: set[str]) -> str:
    """`label`, with the address behind it where that says something new. `told`: the addresses of the document so far,
    which this one joins."""
    if suffix := address_suffix(label, address, told):
        return f"{label.rstrip()}{suffix}{label[len(label.rstrip()) :]}"
    return label


def address_suffix(label: str, address: str, told: set[str]) -> str:
    """What follows `label`: the address in parentheses, or nothing."""
    address = address.strip()
    lower = address.lower()
    if not lower.startswith(_KEPT) or len(address) > MAX_ADDRESS or "?" in address or any(map(str.isspace, address)):
        return ""
    bare = lower.removeprefix("mailto:").split("//")[-1].rstrip("/")
    words = " ".join(label.lower().split())
    if _MARK.fullmatch(words) or bare in words or bare.removeprefix("www.") in words or lower in told:
        return ""
    told.add(lower)
    return f" ({address.removeprefix('mailto:')})"
