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
from ingestion.readers._content import HEAD, kind_of, kind_of_nameless
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


def reader_name(path: Path) -> str | None:
    """The reader for `path` by its suffix, or by its first bytes where it has none and is not hidden; None where no
    reader is known for it.

    A file that cannot be opened counts as text: who reads it is told why it cannot be.
    """
    if path.suffix or path.name.startswith("."):
        return READERS.get(path.suffix.lower())
    try:
        return kind_of_nameless(path, _head(path))
    except OSError:
        return "text"


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
        head = _head(path)
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    name = kind_of(path, head, named) or named
    if name is None:
        raise SourceError(f"{path} is of an unknown kind", f"known suffixes: {' '.join(READERS)}", "convert the file")
    return import_module(f"{__name__}.{name}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)
