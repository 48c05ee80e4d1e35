"""The words of a picture that lie in its own file: EXIF, IPTC, XMP, PNG and SVG texts.

What the document around a picture says (its caption, its alt text) is the reader's part, and comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestion.document import CaptionSource, Picture, one_line
from ingestion.picture import PictureInfo
from rag.pictures.svg import drawing_words

__all__ = ["OwnWords", "keyword_list", "own_words", "split_keywords", "worded"]

_MAX_KEYWORDS: Final = 64
_MAX_WORDS: Final = 4000
"""Characters of a description that are kept."""

# What cameras and programs write by themselves says nothing about the picture.
_CAMERA_WORDS: Final = re.compile(
    r"digital camera|sony dsc|dcim|samsung|minolta|exif_jpeg|\bdefault\b|screenshot$|created with|^untitled", re.I
)
_DESCRIPTION_TAGS: Final = (0x010E, 0x9286, 0x9C9C)
"""ImageDescription, UserComment, XPComment."""
_TITLE_TAGS: Final = (0x9C9B, 0x9C9F)
"""XPTitle, XPSubject."""
_XP_KEYWORDS: Final = 0x9C9E
_TIFF_XMP: Final = 700
_TIFF_IPTC: Final = 33723
_COMMENT_CODES: Final = {b"ASCII\0\0\0": "utf-8", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}

_IPTC_TITLE: Final = 5
_IPTC_KEYWORD: Final = 25
_IPTC_CAPTION: Final = 120
_PHOTOSHOP_IPTC: Final = 0x0404

_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_ALT_TEXT: Final = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}AltTextAccessibility"


@dataclass(frozen=True)
class OwnWords:
    """What the file of a picture says of it."""

    caption: str = ""
    alt: str = ""
    keywords: tuple[str, ...] = ()
    drawn: str = ""
    """The text of an SVG drawing."""


def worded(data: bytes, info: PictureInfo, alt: str = "", caption: str = "", source: CaptionSource = "") -> Picture:
    """The picture with the words given by its document, else with its own. `source` is where the given ones are from
    if not from the document itself."""
    own = own_words(data, info)
    if caption or alt:
        source = source or ("caption" if caption else "alt")
    else:
        caption, alt = own.caption, own.alt
        source = "exif" if caption or alt or own.keywords else ""
    return Picture(
        *(data, info.mime, info.width, info.height, alt, caption, source),
        keywords=own.keywords,
        ocr=own.drawn,
        phash=info.phash,
        flat=info.flat,
    )


def own_words(data: bytes, info: PictureInfo) -> OwnWords:
    """The description, title, alt text and keywords within a picture file; damaged ones are left out."""
    if info.mime == "image/svg+xml":
        words = drawing_words(data)
        return OwnWords(_titled(words.title, [words.description]), drawn=words.text)
    xmp, iptc = _xmp(info), _iptc(info)
    titles = [*xmp.get("title", ()), *iptc.get(_IPTC_TITLE, ()), *_tags(info, _TITLE_TAGS), _png(info, "Title")]
    descriptions = [
        *(*xmp.get("description", ()), *iptc.get(_IPTC_CAPTION, ()), *_tags(info, _DESCRIPTION_TAGS)),
        *(_png(info, "Description"), _png(info, "Caption")),
    ]
    keywords = (*xmp.get("subject", ()), *iptc.get(_IPTC_KEYWORD, ()), *split_keywords(_tags(info, (_XP_KEYWORDS,))))
    said = _said(descriptions)
    title = _said(titles)
    return OwnWords(
        _titled(title[0] if title else "", said), next(iter(_said(xmp.get("alt", ()))), ""), keyword_list(keywords)
    )


def _titled(title: str, descriptions: list[str]) -> str:
    """The first description under the title, unless one holds the other."""
    description = descriptions[0] if descriptions else ""
    title = one_line(title)
    if not description or description.casefold() in title.casefold():
        return title
    if not title or title.casefold() in description.casefold():
        return description
    return f"{title}{'' if title.endswith(('.', '!', '?', ':')) else '.'} {description}"


def _said(candidates: Iterable[str]) -> list[str]:
    lines = (one_line(text)[:_MAX_WORDS] for text in candidates)
    return [line for line in lines if line and not _CAMERA_WORDS.search(line)]


def split_keywords(lists: Iterable[str]) -> list[str]:
    """The words of lists that are written with commas or semicolons."""
    return [word for text in lists for word in re.split(r"[;,\n]", text)]


def keyword_list(words: Iterable[str]) -> tuple[str, ...]:
    """Each keyword once, at most 64 of them."""
    return tuple(dict.fromkeys(filter(None, map(one_line, words))))[:_MAX_KEYWORDS]


def _png(info: PictureInfo, key: str) -> str:
    value = info.info.get(key)
    return value if isinstance(value, str) else ""


def _tags(info: PictureInfo, tags: Iterable[int]) -> list[str]:
    return [_decoded(info.exif[tag], tag) for tag in tags if info.exif.get(tag)]


def _decoded(value: object, tag: int) -> str:
    """An EXIF value as text: XP tags are UTF-16, a UserComment names its encoding, others are as programs write."""
    if isinstance(value, tuple) and all(isinstance(part, int) and 0 <= part < 256 for part in value):
        value = bytes(value)
    if isinstance(value, str):
        try:  # Pillow takes all text for Latin-1, and most of it is UTF-8
            return value.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return value
    if not isinstance(value, bytes):
        return ""
    if tag >= 0x9C9B:
        return value.decode("utf-16-le", "ignore").rstrip("\0")
    encoding = _COMMENT_CODES.get(value[:8], "utf-8")
    if encoding == "utf-16" and value[8:10] not in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16-be" if value[8:9] == b"\0" else "utf-16-le"
    text = value[8:] if value[:8] in _COMMENT_CODES or value.startswith(b"\0" * 8) else value
    return text.decode(encoding, "ignore").rstrip("\0")


def _iptc(info: PictureInfo) -> dict[int, list[str]]:
    """Record 2 of the IPTC block by dataset number (IPTC-NAA Information Interchange Model 4.2)."""
    block = info.exif.get(_TIFF_IPTC)
    photoshop = info.info.get("photoshop")
    if isinstance(photoshop, Mapping):
        block = photoshop.get(_PHOTOSHOP_IPTC, block)
    if not isinstance(block, bytes):
        return {}
    found: dict[int, list[str]] = {}
    utf8, at = b"\x1b%G" in block[:64], 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, dataset, size = block[at + 1], block[at + 2], int.from_bytes(block[at + 3 : at + 5], "big")
        value, at = block[at + 5 : at + 5 + size], at + 5 + size
        if record == 2:
            found.setdefault(dataset, []).append(_iptc_text(value, utf8))
    return found


def _iptc_text(value: bytes, utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8" if utf8 else "latin-1", "ignore")


def _xmp(info: PictureInfo) -> dict[str, list[str]]:
    """The Dublin Core title, description and subject, and IPTC's alt text."""
    packet = next(
        (found for key in ("xmp", "XML:com.adobe.xmp") if (found := info.info.get(key))), info.exif.get(_TIFF_XMP)
    )
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "ignore")
    if not isinstance(packet, bytes):
        return {}
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(packet.strip(b"\0 \r\n\t"), parser)
    except etree.XMLSyntaxError:
        return {}
    if root is None:
        return {}
    names = {"title": f"{_DC}title", "description": f"{_DC}description", "subject": f"{_DC}subject", "alt": _ALT_TEXT}
    return {name: [text for element in root.iter(tag) for text in _items(element)] for name, tag in names.items()}


def _items(element: Any) -> list[str]:
    """The texts of an RDF container, the default language first; the element's own text where it is none."""
    items = sorted(element.iter(f"{_RDF}li"), key=lambda item: item.get(_XML_LANG) not in ("x-default", None))
    return [item.text or "" for item in items] or [element.text or ""]
