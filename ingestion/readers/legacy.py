"""Formats of old or closed programs: they are not read, and the reason says what to do instead."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NoReturn

from rag.errors import SourceError

_MAX_SEARCHED: Final = 1 << 26

# Names of streams, as they stand in the directory of a compound file.
_KINDS: Final = {
    "EncryptedPackage": ("is encrypted", "save it without a password"),
    "WordDocument": ("is an old binary Word file", "save it as .docx"),
    "PowerPoint Document": ("is an old binary PowerPoint file", "save it as .pptx"),
    "Workbook": ("is an old binary Excel file", "save it as .xlsx"),
    "Book": ("is an old binary Excel file", "save it as .xlsx"),
    "__properties_version1.0": ("is an Outlook message", "save it as .eml"),
}
_BY_SUFFIX: Final = {
    **dict.fromkeys((".doc", ".dot"), _KINDS["WordDocument"]),
    **dict.fromkeys((".ppt", ".pps", ".pot"), _KINDS["PowerPoint Document"]),
    **dict.fromkeys((".xls", ".xlt"), _KINDS["Workbook"]),
    ".xlsb": ("is a binary Excel file", "save it as .xlsx"),
    ".msg": _KINDS["__properties_version1.0"],
}

_UNKNOWN: Final = ("is an old binary Office file or encrypted", "save it anew")


def read(path: Path, root: Path) -> NoReturn:
    """Raises SourceError, which names the kind of file and the format to save it in."""
    with path.open("rb") as file:
        data = file.read(_MAX_SEARCHED)
    found = [told for name, told in _KINDS.items() if name.encode("utf-16-le") in data]
    by_suffix = _BY_SUFFIX.get(path.suffix.lower())
    # A document may embed others of other kinds; the suffix says which is the outer one.
    if _KINDS["EncryptedPackage"] in found:
        kind, advice = _KINDS["EncryptedPackage"]
    else:
        kind, advice = by_suffix or next(iter(found), _UNKNOWN)
    raise SourceError(f"{path} {kind}", "unencrypted files of open formats are read", advice)
