"""AsciiDoc within a line: attributes, links, references and styled words as plain text.

Patterns reach a bounded distance: one that looks for its end through the rest of a paragraph, from every place where it
might begin, takes hours for a paragraph made to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ingestion.readers._links import address_suffix

_REFERENCE: Final = re.compile(r"\{([\w-]+)\}")
_LINK: Final = re.compile(r"(?:link:|(?=(?:https?|ftp)://)|(?=mailto:))([^\s\[\]<>]{1,2000})\[([^\]]{0,2000})\]")
_XREF: Final = re.compile(r"<<([^,>]{1,500})(?:,([^>]{0,1000}))?>>|xref:([^\s\[]{1,500})\[([^\]]{0,1000})\]")
_MACRO: Final = re.compile(
    r"(?:footnote|kbd|btn|menu|pass|stem|latexmath|asciimath|icon|anchor):[^\s\[]{0,500}\[([^\]]{0,2000})\]"
)
_ANCHOR: Final = re.compile(r"\[\[[^\]]{0,500}\]\]|\[[#.][\w.#%-]{1,500}\](?=[#*_`])")
_STYLED: Final = (
    re.compile(r"(?<![\w`*_#+])([`*_#+])(\S|\S.{0,1000}?\S)\1(?![\w`*_#+])", re.S),
    re.compile(r"(\*\*|__|``|##|\+\+)(.{1,1000}?)\1", re.S),
)
_PAIR: Final = re.compile(r"(?<![\w-])([\w-]{1,100})\s{0,100}=\s*(?:\"([^\"]*)\"|'([^']*)'|([^,]*))")


def substituted(text: str, attributes: Mapping[str, str]) -> str:
    """`text` with the attributes it refers to, once: what they hold is not looked at again, so that nothing grows."""
    return _REFERENCE.sub(lambda match: attributes.get(match[1].lower(), match[0])[:1000], text)


def plain(text: str, attributes: Mapping[str, str], told: set[str] | None) -> str:
    """The words of a line. `told`: addresses of links so far; None leaves addresses out."""
    text = _ANCHOR.sub("", substituted(text, attributes))
    text = _LINK.sub(lambda match: _linked(match[1], match[2], told), text)
    text = _XREF.sub(lambda match: (match[2] or "").lstrip() or match[4] or match[1] or match[3] or "", text)
    text = _MACRO.sub(lambda match: f" ({match[1]})" if match[0].startswith("footnote") else match[1], text)
    for styled in _STYLED:
        text = styled.sub(r"\2", text)
    return re.sub(r" \+$", "", text, flags=re.M)


def _linked(address: str, label: str, told: set[str] | None) -> str:
    label = label.rstrip("^").partition(",window=")[0].strip('"')
    if not label:
        return address.removeprefix("mailto:")
    return label + (address_suffix(label, address, told) if told is not None else "")


def attributes_of(inside: str) -> dict[str, str]:
    """The named attributes between brackets."""
    return {key: "".join(values).strip() for key, *values in _PAIR.findall(inside)}


def image_words(inside: str, attributes: Mapping[str, str]) -> tuple[str, str]:
    """(alt, title) of a picture's brackets: alt is named, or comes first."""
    named = attributes_of(inside)
    match = re.match(r"(?:\"([^\"]*)\"\s*|([^,=]*))(?:,|$)", inside.lstrip())
    first = (match[1] or match[2] or "").strip() if match else ""
    return plain(named.get("alt", first), attributes, None), plain(named.get("title", ""), attributes, None)
