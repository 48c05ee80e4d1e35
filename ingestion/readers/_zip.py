"""Opening zip files that nobody vouches for, and the XML in them: what every zip-based format here goes through first.

Sizes are checked as declared before anything is unpacked. `zipfile` never hands out more than a member declares, so
that a lie in the directory ends in an error, not in memory.
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from lxml import etree

from ingestion.readers._builder import Builder
from rag.errors import SourceError

MAX_UNPACKED: Final = 1 << 30
"""Bytes. A document that unpacks to more is a bomb, or a film."""
MAX_RATIO: Final = 200
"""Unpacked to packed size; deflate itself ends at 1032. Office files of repetitive tables were seen at 40."""
FREE_RATIO: Final = 64 * 2**20
"""Bytes below which the ratio does not matter: an empty sheet compresses well."""
MAX_MEMBERS: Final = 20_000
MAX_XML: Final = 128 * 2**20
"""Bytes of one part that is parsed into a tree, which takes several times as much memory."""

BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError)
"""What zipfile raises on a part that is damaged, or packed by a method of later times."""
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".emf", ".wmf", ".svm")
_HEAD: Final = 1 << 16
_DOCTYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.I)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, if it is safe to unpack.

    Raises SourceError where it is encrypted, has too many members or unpacks to too much; BadZipFile where it is none.
    """
    with zipfile.ZipFile(path) as archive:
        check(archive, path)
        yield archive


def check(archive: zipfile.ZipFile, path: Path) -> None:
    """Raises SourceError where `archive` is encrypted or would unpack to too much."""
    members = archive.infolist()
    if any(info.flag_bits & 1 for info in members):
        raise SourceError(f"{path} is encrypted", "unencrypted files are read", "save it without a password")
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"{path} has {len(members)} parts", f"at most {MAX_MEMBERS} are allowed", "split it")
    unpacked = sum(info.file_size for info in members)
    packed = path.stat().st_size
    if unpacked > MAX_UNPACKED:
        raise SourceError(f"{path} unpacks to {unpacked} bytes", f"at most {MAX_UNPACKED} are allowed", "split it")
    if unpacked > FREE_RATIO and unpacked > MAX_RATIO * packed:
        raise SourceError(
            f"{path} unpacks from {packed} to {unpacked} bytes", f"at most {MAX_RATIO} times is allowed", "split it"
        )


def refuse_doctypes(archive: zipfile.ZipFile, path: Path) -> None:
    """Raises SourceError where an XML part declares a document type, which Open Packaging forbids (ISO 29500-2, 8.1.4)
    and only an attack by entities needs."""
    for info in archive.infolist():
        if info.filename.lower().endswith((".xml", ".rels", ".vml")):
            with archive.open(info) as part:
                head = part.read(_HEAD)
            if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
                head = head.replace(b"\x00", b"")
            if _DOCTYPE.search(head):
                raise SourceError(
                    f"{path} declares XML entities in {info.filename}",
                    "documents without a document type are allowed",
                    "save it again with an office program",
                )


def parse_xml(data: bytes) -> Any:
    """The root of `data`: entities stay unexpanded, nothing is fetched. Raises ValueError where it is too large or
    empty, XMLSyntaxError where it is not XML."""
    if len(data) > MAX_XML:
        raise ValueError(f"an XML part of {len(data)} bytes; at most {MAX_XML} are allowed")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(data, parser)
    if root is None:
        raise ValueError("an XML part without an element")
    return root


def read_xml(archive: zipfile.ZipFile, name: str) -> Any | None:
    """The root of the part `name`, or None where the archive has no such part or it is not XML."""
    try:
        return parse_xml(archive.read(name))
    except (KeyError, etree.LxmlError, *BROKEN):
        return None


def read_xml_if_whole(archive: zipfile.ZipFile, name: str, builder: Builder) -> Any | None:
    """As `read_xml`, but a part that is there and cannot be read is named as left out."""
    root = read_xml(archive, name)
    if root is None and name in archive.NameToInfo:
        builder.omit(f"part {name}", "damaged")
    return root


def add_picture(archive: zipfile.ZipFile, name: str, builder: Builder, alt: str = "", caption: str = "") -> bool:
    """Add the picture in the part `name`; a part that is damaged costs itself. Returns whether it was added."""
    try:
        data = archive.read(name)
    except BROKEN as exc:
        builder.lost_picture(name, f"damaged ({exc})", alt, caption)
        return False
    return builder.picture(data, name, alt, caption)


def member(archive: zipfile.ZipFile, base: str, href: str) -> str | None:
    """The name of the member that `href`, written in the member `base`, points to; None where there is none.

    The name only chooses among the archive's own members: no path ever leads out of it.
    """
    try:
        parts = urlsplit(href)
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        return None
    for name in dict.fromkeys((href, unquote(parts.path))):
        inside = name.lstrip("/") if name.startswith("/") else posixpath.join(posixpath.dirname(base), name)
        inside = posixpath.normpath(inside)
        if inside in archive.NameToInfo:
            return inside
    return None


def count_unshown(archive: zipfile.ZipFile, shown: Collection[str], builder: Builder) -> None:
    """Count the pictures of the archive that were not met on any page, so that nothing is lost in silence."""
    for info in archive.infolist():
        if info.filename.lower().endswith(_PICTURES) and info.filename not in shown and info.file_size:
            builder.junk(unshown_reason(info.filename))


def unshown_reason(name: str) -> str:
    """Why a picture of a package is not one of the document."""
    return (
        "thumbnails of the document itself" if "thumbnail" in name.lower() else "in the file, but on none of its pages"
    )
