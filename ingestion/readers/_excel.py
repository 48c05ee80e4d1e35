"""What the XML of an Excel sheet says beside its cells, where openpyxl does not stream it: links, headers, footers."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from ingestion.readers._links import address_suffix

Addresses: TypeAlias = Mapping[int, Mapping[int, str]]
"""Row -> column -> where a link in that cell leads to, all 0-based."""

_LINK: Final = re.compile(rb"<(?:\w+:)?hyperlink\b([^>]*)>")
_FORMULA: Final = re.compile(rb'<c\b[^>]*?\br="([A-Z]{1,3}\d{1,7})"[^>]*><f>HYPERLINK\("([^"<]{1,500})"')
_PLACE: Final = re.compile(rb'\bref="([A-Z]{1,3}\d{1,7})')
_TARGET: Final = re.compile(rb'\b\w+:id="([^"]*)"')
_MARGIN: Final = re.compile(rb"<(?:\w+:)?(?:odd|even|first)(?:Header|Footer)\b[^>]*>([^<]{1,2000})<")
_CODE: Final = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|\d+|[^&])')
"""Fonts, colours, sizes, fields and switches (ISO/IEC 29500-1, 18.3.1.39)."""
_PART: Final = re.compile(r"&[LCR]|\r?\n")
_NUMBER: Final = re.compile(r"&[PN]")


def addresses(raw: bytes, targets: Mapping[str, str]) -> Addresses:
    """The links of a sheet. `targets`: the addresses by the ids of their relations."""
    found: dict[int, dict[int, str]] = {}
    for link in _LINK.findall(raw):
        place, target = _PLACE.search(link), _TARGET.search(link)
        address = targets.get(target[1].decode("utf-8", "replace"), "") if target else ""
        if place and address:
            row, column = _cell(place[1].decode())
            found.setdefault(row, {})[column] = address
    for cell, address in _FORMULA.findall(raw):
        row, column = _cell(cell.decode())
        found.setdefault(row, {})[column] = html.unescape(address.decode("utf-8", "replace"))
    return found


def with_addresses(rows: Iterator[list[str]], links: Addresses, told: set[str]) -> Iterator[list[str]]:
    """The rows, with the address of each link that says more than its cell; `told` are those of the workbook."""
    for number, row in enumerate(rows):
        for column, address in links.get(number, {}).items():
            if column < len(row):
                row[column] += address_suffix(row[column], address, told)
        yield row


def margins(raw: bytes) -> Sequence[str]:
    """The parts of a sheet's headers and footers without their codes; a page number stands as a number."""
    texts = (html.unescape(text.decode("utf-8", "replace")) for text in _MARGIN.findall(raw))
    parts = (part.replace("&&", "\0") for text in texts for part in _PART.split(text))
    return [_CODE.sub("", _NUMBER.sub("1", part)).replace("\0", "&") for part in parts]


def _cell(reference: str) -> tuple[int, int]:
    """A1 -> (0, 0)."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(reference[len(letters) :]) - 1, column - 1
