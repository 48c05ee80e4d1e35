"""What Word and PowerPoint files share: opening the package safely, and the errors of damaged ones."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from lxml import etree

from rag.errors import SourceError

MAX_UNPACKED: Final = 1 << 30
"""Bytes. An Office file that unpacks to more is a bomb, or a film."""

# What python-docx, python-pptx, zipfile and lxml were seen to raise on damaged packages, besides OSError.
DAMAGED: Final = (
    *(OSError, LookupError, ValueError, AttributeError, TypeError, AssertionError, RuntimeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, etree.LxmlError),
)


_STRICT: Final = b"http://purl.oclc.org/ooxml/"


def open_package(path: Path, opener: Callable[[Any], Any]) -> Any:
    """The package that `opener` makes of `path`.

    Raises SourceError where it is encrypted or unpacks to too much, one of DAMAGED or the opener's own errors where it
    is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise SourceError(f"{path} is encrypted", "unencrypted files are read", "save it without a password")
        unpacked = sum(info.file_size for info in archive.infolist())
        strict = "_rels/.rels" in archive.namelist() and _STRICT in archive.read("_rels/.rels")
    if unpacked > MAX_UNPACKED:
        raise SourceError(f"{path} unpacks to {unpacked} bytes", f"at most {MAX_UNPACKED} are allowed", "split it")
    return opener(_transitional(path) if strict else str(path))


def _transitional(path: Path) -> BytesIO:
    """A copy of a Strict Open XML package with the namespaces of the Transitional form, which is all the libraries
    know."""
    copy = BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith((".xml", ".rels")):
                data = re.sub(_STRICT + rb"(\w+)/", rb"http://schemas.openxmlformats.org/\1/2006/", data)
            target.writestr(info.filename, data)
    copy.seek(0)
    return copy


def damaged(path: Path, kind: str, exc: BaseException) -> SourceError:
    """The error for a package that cannot be understood."""
    return SourceError(f"{path} is not a readable {kind} file ({exc})", advice="repair it or save it again")


def core_metadata(properties: Any) -> dict[str, Any]:
    """Author, subject and keywords of a package, as far as given and legible."""
    found: dict[str, Any] = {}
    for key in ("title", "author", "subject", "keywords", "language"):
        try:
            value = getattr(properties, key)
        except DAMAGED:
            continue
        if value and str(value).strip():
            found[key] = str(value).strip()
    return found
