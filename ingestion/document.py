"""What a reader makes of a file: frozen data, in reading order, with what could not be kept named beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

BlockKind: TypeAlias = Literal["heading", "paragraph", "list", "table", "code", "caption", "notes"]
CaptionSource: TypeAlias = Literal["", "alt", "caption", "sidecar", "exif", "ocr", "generated"]
Section: TypeAlias = tuple[str, ...]

SECTION_SEPARATOR: Final = " › "

# Lone surrogates cannot be written as UTF-8, NUL and its neighbours are refused by parsers further on.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

_BLANK_EDGES: Final = re.compile(r"\A(?:[^\S\n]*\n)+")


def tidy(text: str) -> str:
    """`text` with Unix line ends, without characters that UTF-8 or JSON cannot carry, and without blank lines at its
    edges."""
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_EDGES.sub("", _UNWRITABLE.sub("", unix)).rstrip()


def writable(value: Any) -> Any:
    """`value`, a document or any part of it, without the characters in its texts that UTF-8 or JSON cannot carry."""
    if isinstance(value, str):
        return _UNWRITABLE.sub("", value) if _UNWRITABLE.search(value) else value
    if isinstance(value, Mapping):
        return {writable(key): writable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(writable, value))
    if is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: (getattr(value, part.name), writable(getattr(value, part.name))) for part in fields(value)}
        changed = {name: new for name, (old, new) in parts.items() if new != old}
        return replace(value, **changed) if changed else value
    return value


def storable(value: object) -> bool:
    """Whether `value` is a scalar that every engine keeps as it is: Unicode, finite, whole numbers of 64 bits."""
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return isinstance(value, float) and math.isfinite(value)


def one_line(text: str) -> str:
    """`text` on a single line, each run of white space one space."""
    return " ".join(tidy(text).split())


def section_path(section: Section) -> str:
    """The headings above a block, outermost first, as they are shown and filtered by."""
    return SECTION_SEPARATOR.join(section)


@dataclass(frozen=True)
class Block:
    """A piece of text that stands by itself in the file. A heading's `section` ends with the heading itself."""

    text: str
    section: Section = ()
    page: int | None = None
    """1-based page or slide number; None where the format has none."""
    kind: BlockKind = "paragraph"


@dataclass(frozen=True)
class Picture:
    """A picture that was decoded once without error. `data` are the bytes as the file holds them."""

    data: bytes
    mime: str
    width: int
    """Pixels, upright: after the turn that the EXIF orientation asks for."""
    height: int
    alt: str = ""
    caption: str = ""
    caption_source: CaptionSource = ""
    """Where `caption` comes from; "alt" where only an alt text exists; empty where there are no words."""
    section: Section = ()
    page: int | None = None
    name: str = ""
    """How the document calls the picture: a relative path or a part name."""
    keywords: tuple[str, ...] = ()
    ocr: str = ""
    """The words that are drawn in it, a line each: read by OCR, or the text of an SVG."""
    phash: str = ""
    """`rag.pictures.perceptual_hash` of it; empty where nobody computed it yet."""
    flat: bool = False
    """Whether it is of a single colour."""

    @property
    def words(self) -> str:
        """Caption, alt text and keywords, each once, on one line each. What is drawn is not among them."""
        kept: list[str] = []
        for part in map(one_line, (self.caption, self.alt, ", ".join(self.keywords))):
            if part and not any(part.casefold() in other.casefold() for other in kept):
                kept = [*(other for other in kept if other.casefold() not in part.casefold()), part]
        return "\n".join(kept)


@dataclass(frozen=True)
class Omission:
    """Something of a document that could not be kept, and why."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


Item: TypeAlias = Block | Picture


@dataclass(frozen=True)
class ParsedDocument:
    """A file as its reader understood it. `items` are in reading order."""

    title: str
    mime: str
    items: tuple[Item, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the file says about itself (author, language, front matter): scalars and lists of scalars."""
    warnings: tuple[Omission, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many pictures show nothing, by reason; they are named in `warnings` too."""
    linked: tuple[Path, ...] = ()
    """Files beside the document that were read for it: linked pictures, sidecars."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The text, without the pictures."""
        return tuple(item for item in self.items if isinstance(item, Block))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures, without the text."""
        return tuple(item for item in self.items if isinstance(item, Picture))
