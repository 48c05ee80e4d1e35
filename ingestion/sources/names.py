"""Names that strangers chose, as names of files. Pure."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

from ingestion.readers import READERS
from ingestion.walk import ARCHIVES, is_archive

__all__ = ["file_name", "member_path", "printable"]

LONGEST: Final = 255
"""Bytes of one part of a path that every common file system takes."""
LONGEST_PATH: Final = 1024
"""Bytes of a path."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_WINDOWS: Final = re.compile(r"(?i)(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\s*\..*)?$")
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]')

_SUFFIX_OF: Final = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/x-rst": ".rst",
    "text/asciidoc": ".adoc",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/x-ipynb+json": ".ipynb",
    "message/rfc822": ".eml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/apng": ".apng",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "image/tiff": ".tif",
    "image/bmp": ".bmp",
    "image/jp2": ".jp2",
    "image/svg+xml": ".svg",
    "application/x-tar": ".tar",
    "application/gzip": ".tar.gz",
    "application/x-gzip": ".tar.gz",
}
_ZIP: Final = ("application/zip", "application/x-zip-compressed")
_GENERIC: Final = ("", "text/plain", "application/octet-stream", "binary/octet-stream", *_ZIP)
"""Types under which servers send anything: the first bytes know better."""
_DOCUMENTS: Final = ("", "text", "image", "application", "binary", "message")
"""Kinds of types of which there are too many to list: the suffix decides."""

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""Marks of texts that hold zero bytes; UTF-32, little-endian, begins as UTF-16 does."""
_HEADS: Final = (
    (re.compile(rb"\s*%PDF-"), ".pdf"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"GIF8[79]a"), ".gif"),
    (re.compile(rb"RIFF....WEBP", re.S), ".webp"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!--|!doctype\s+html\b|html\b|head\b|body\b)", re.I), ".html"),
)


def printable(name: str) -> str:
    """`name` as UTF-8 can carry it."""
    return _SURROGATE.sub("?", name)


def member_path(name: str, *, windows: bool = os.name == "nt") -> PurePosixPath:
    """The path, relative and without `.` and `..`, under which a member may be written below a folder.

    The name is taken as it is or not at all: one that was changed would break the links between members, and could be
    another member's. Raises ValueError with the reason where it cannot be taken.
    """
    if _SURROGATE.search(name):
        raise ValueError("the name is not UTF-8")
    if _CONTROL.search(name):
        raise ValueError("the name has control characters")
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if slashed.startswith("/") or _DRIVE.match("".join(parts[:1])):
        raise ValueError("the name is an absolute path")
    if ".." in parts:
        raise ValueError("the name leads out of the folder")
    if not parts:
        raise ValueError("the name is empty")
    if len(slashed.encode()) > LONGEST_PATH or any(len(part.encode()) > LONGEST for part in parts):
        raise ValueError("the name is too long")
    if windows and any(_WINDOWS.match(part) or part[-1] in ". " or re.search(r'[<>:"|?*]', part) for part in parts):
        raise ValueError("Windows does not allow the name")
    return PurePosixPath(*parts)


def file_name(path: str, host: str, mime: str, head: bytes = b"") -> str | None:
    """A file name whose suffix says what a document is: by its content type, then by the suffix in the URL's `path`,
    then by its first bytes. None where nothing reads it.

    The name depends on nothing else, so that a page fetched again is the same file.
    """
    last = _UNSAFE.sub("_", unquote(path.rstrip("/").rpartition("/")[2])).strip(". ")
    own = next((end for end in (*ARCHIVES, *READERS) if last.lower().endswith(end)), None)
    suffix = _suffix(mime.partition(";")[0].strip().lower(), own, head)
    if suffix is None:
        return None
    stem = (last.removesuffix(last[-len(own) :]) if own else last) or _UNSAFE.sub("_", host).strip(". ") or "document"
    return stem.encode()[: LONGEST - 40].decode(errors="ignore") + suffix


def _suffix(mime: str, own: str | None, head: bytes) -> str | None:
    told = _SUFFIX_OF.get(mime)
    if told is not None:
        return _of_type(told, own)
    if own is not None and mime.partition("/")[0] in _DOCUMENTS:
        return own
    if mime not in _GENERIC:
        return None
    sniffed = next((suffix for pattern, suffix in _HEADS if pattern.match(head)), None)
    if sniffed is not None:
        return sniffed
    if mime in _ZIP:
        return ".zip"
    words = b"\x00" not in head or head.startswith(_UTF_16)
    return ".txt" if words and (mime == "text/plain" or (head and not mime)) else None


def _of_type(told: str, own: str | None) -> str | None:
    """The suffix of a content type, or the file's own where it is of the same kind."""
    if is_archive(told):
        return own if own is not None and is_archive(own) else told
    if told not in READERS:
        return None
    return own if own is not None and READERS.get(own) == READERS[told] else told
