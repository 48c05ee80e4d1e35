"""Which reader the first bytes of a file ask for."""

from __future__ import annotations

import codecs
import re
import zipfile
from pathlib import Path
from typing import Final

from ingestion.readers.text import is_text
from rag.pictures.svg import is_svg

__all__ = ["HEAD", "kind_of", "kind_of_nameless"]

HEAD: Final = 8192
"""Bytes that are looked at."""

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How compound files begin: Office documents up to 2003, and encrypted ones of any year."""
_PACKAGED: Final = ("pdf", "docx", "pptx", "xlsx", "odf", "epub", "legacy")
_PICTURE_HEADS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*")
_BITMAP: Final = re.compile(rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0{3}", re.S)
"""The two letters, the reserved zeros and the size of one of the headers that a bitmap may have."""
_ZIP_PARTS: Final = {
    **{"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"},
    **{"META-INF/container.xml": "epub", "content.xml": "odf"},
}
_PICTURE_BRANDS: Final = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})
_SPACE: Final = codecs.BOM_UTF8 + b"\r\n\t "
_PAGE: Final = re.compile(rb"(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S)


def kind_of(path: Path, head: bytes, named: str | None) -> str | None:
    """The reader that the first bytes ask for, where they are unmistakable; `named` is that of the suffix."""
    if _is_picture(head):
        return "image"
    if head.lstrip(_SPACE).startswith(b"%PDF-"):
        return "pdf"
    if head.startswith((b"PK\x03\x04", _OLE)):
        return "legacy" if head.startswith(_OLE) else _office_kind(path) or named
    if named in _PACKAGED and head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "html"
    if named == "legacy" and head.startswith(b"MIME-Version:"):
        return "eml"
    return None


def kind_of_nameless(path: Path, head: bytes) -> str | None:
    """The reader of a file whose name tells nothing; None where its first bytes are of no kind that is read.

    Marks that are too weak beside a suffix count here: a page, a drawing, a bitmap, and text without control
    characters.
    """
    if (kind := kind_of(path, head, None)) is not None:
        return kind
    if _PAGE.match(head.lstrip(_SPACE)):
        return "html"
    if _BITMAP.match(head) or is_svg(head):
        return "image"
    return "text" if is_text(head) else None


def _is_picture(head: bytes) -> bool:
    if head.startswith(_PICTURE_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    return head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS


def _office_kind(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    return next((kind for part, kind in _ZIP_PARTS.items() if part in names), None)
