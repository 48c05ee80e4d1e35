"""One file a format. A reader keeps what the file has, and names what it could not keep.

A reader module has `read(path, root) -> ParsedDocument`, and where a document consists of several files also
`linked(path, root) -> tuple[Path, ...]`: the files beside it whose change changes the document.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from ingestion.document import Omission, ParsedDocument, storable, writable
from ingestion.junk import without_junk
from ingestion.ocr import with_drawn_words
from rag.errors import SourceError

__all__ = ["READERS", "linked_files", "read", "reader_name"]

_SUFFIXES: Final = {
    "text": ".txt .text .log",
    "rst": ".rst .rest",
    "asciidoc": ".adoc .asciidoc",
    "markdown": ".md .markdown .mdown .mkd .rmd .qmd",
    "html": ".html .htm .xhtml",
    "pdf": ".pdf",
    "docx": ".docx .docm .dotx .dotm",
    "pptx": ".pptx .pptm .ppsx .ppsm .potx .potm",
    "xlsx": ".xlsx .xlsm .xltx .xltm",
    "odf": ".odt .ott .odp .otp .ods .ots",
    "epub": ".epub",
    "csv": ".csv .tsv .tab",
    "eml": ".eml .mht .mhtml",
    "ipynb": ".ipynb",
    "legacy": ".doc .dot .xls .xlt .ppt .pps .pot .msg .xlsb",
    "image": ".jpg .jpeg .jpe .jfif .png .apng .gif .webp .avif .heic .heif .svg .svgz "
    ".tif .tiff .bmp .dib .jp2 .j2k .jpf .jpx .mpo .ppm .pgm .pbm .pnm "
    ".psd .tga .qoi .ico .icns .sgi .dds .pcx .fli .flc",
}
READERS: Final = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
"""Suffix (lower case, with the dot) -> the module of this package that reads it."""

# What third-party parsers raise on files nobody foresaw. TriptychError is none of these and passes.
_DEFECTS: Final = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError, zipfile.BadZipFile, zlib.error, struct.error),
)

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How compound files begin: Office documents up to 2003, and encrypted ones of any year."""
_PACKAGED: Final = ("pdf", "docx", "pptx", "xlsx", "odf", "epub", "legacy")
_PICTURE_HEADS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*")
_ZIP_PARTS: Final = {
    **{"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"},
    **{"META-INF/container.xml": "epub", "content.xml": "odf"},
}
_PICTURE_BRANDS: Final = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})


def reader_name(path: Path) -> str | None:
    """The reader for `path` by its suffix; None where no reader is known for it."""
    return READERS.get(path.suffix.lower())


def read(path: Path, root: Path | None = None) -> ParsedDocument:
    """Read `path` with the reader that its content asks for, or its suffix where the content does not tell.

    `root` (default: the file's folder) bounds what the document may link to: files outside are not read.
    Raises SourceError where the file cannot be read, is encrypted, damaged or of an unknown kind.
    """
    with _told(path):
        result: ParsedDocument = _reader(path).read(path, _root(path, root))
        whole: ParsedDocument = writable(with_drawn_words(without_junk(result)))
        return _with_plain_metadata(whole)


def linked_files(path: Path, root: Path | None = None) -> tuple[Path, ...]:
    """The existing files beside `path` that belong to it (linked pictures, sidecars), sorted; nothing is decoded."""
    with _told(path):
        module = _reader(path)
        if not hasattr(module, "linked"):
            return ()
        return tuple(sorted(set(module.linked(path, _root(path, root)))))


def _with_plain_metadata(document: ParsedDocument) -> ParsedDocument:
    """`document` without the fields that no engine can store, which are named as left out."""
    odd = [
        key
        for key, value in document.metadata.items()
        if not all(map(storable, value if isinstance(value, list | tuple) else (value,)))
    ]
    if not odd:
        return document
    told = (Omission(f"metadata {key[:100]}", "no text, finite number or whole number of 64 bits") for key in odd)
    kept = {key: value for key, value in document.metadata.items() if key not in odd}
    return replace(document, metadata=kept, warnings=(*document.warnings, *told))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A parser that stumbles over a file makes that file unreadable, not the run."""
    try:
        yield
    except _DEFECTS as exc:
        raise SourceError(f"{path} cannot be read ({type(exc).__name__}: {exc})", advice="save it again") from exc


def _root(path: Path, root: Path | None) -> Path:
    return (root if root is not None else path.parent).resolve()


def _reader(path: Path) -> ModuleType:
    named = reader_name(path)
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    name = _sniff(path, head, named) or named
    if name is None:
        raise SourceError(f"{path} is of an unknown kind", f"known suffixes: {' '.join(READERS)}", "convert the file")
    return import_module(f"{__name__}.{name}")


def _sniff(path: Path, head: bytes, named: str | None) -> str | None:
    """The reader that the first bytes ask for, where they are unmistakable."""
    if _is_picture(head):
        return "image"
    if head.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"%PDF-"):
        return "pdf"
    if head.startswith((b"PK\x03\x04", _OLE)):
        return "legacy" if head.startswith(_OLE) else _office_kind(path) or named
    if named in _PACKAGED and head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "html"
    if named == "legacy" and head.startswith(b"MIME-Version:"):
        return "eml"
    return None


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
