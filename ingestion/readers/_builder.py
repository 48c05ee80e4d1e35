"""What the readers share: gathering items under headings, and taking pictures in or saying why not."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ingestion import remote
from ingestion.captions import worded
from ingestion.document import Block, BlockKind, Item, Omission, ParsedDocument, Section, one_line, tidy
from ingestion.picture import PictureInfo, inspect
from ingestion.readers._emf import drawn, is_metafile, unwrapped
from rag.errors import PictureError

CAPTION_LABEL: Final = re.compile(
    r"(?:fig(?:ure|\.)?|abb(?:ildung|\.)?|photo|plate|chart|image|diagram|map)\s*\.?\s*\d[\w.\-–]*", re.I
)
"""How a caption begins where nothing but its words marks it as one."""

MAX_LINKED_BYTES: Final = 256 * 2**20
MAX_TRIES: Final = 3
"""Addresses of one picture that are tried."""
REMOTE: Final = "remote, fetched only when asked: --fetch-pictures"
MAX_HEADING: Final = 1000
"""Characters of a heading that stand over what is beneath it: they are stored with each passage."""
MAX_NAME: Final = 300
"""Characters of what a warning calls something by; an address may have thousands."""


class Builder:
    """Gathers a document. Headings open sections; everything added lands in the current section and page."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.warnings: list[Omission] = []
        self.linked: list[Path] = []
        self.page: int | None = None
        self.cells = self.cell_characters = 0
        """Of spreadsheets, looked at so far."""
        self._headings: list[tuple[int, str]] = []
        self._junk: Counter[str] = Counter()
        self._known: dict[bytes, tuple[bytes, PictureInfo]] = {}

    @property
    def section(self) -> Section:
        """The headings above what is added next, outermost first."""
        return tuple(text for _, text in self._headings)

    def heading(self, text: str, level: int, *, keep: bool = True) -> None:
        """Open a section. `keep`: the heading's words are part of the text (they are not where the reader sees them
        twice)."""
        text = one_line(text)
        if not text:
            return
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, f"{text[:MAX_HEADING]}…" if len(text) > MAX_HEADING else text))
        if keep:
            self.items.append(Block(text, self.section, self.page, "heading"))

    def leave_sections(self) -> None:
        """Close all sections, as at the start of a slide."""
        self._headings.clear()

    def text(self, text: str, kind: BlockKind = "paragraph") -> None:
        """Add text; blank text is nothing. Code and items of lists keep their indentation."""
        text = tidy(text)
        if kind not in ("code", "list"):
            text = text.lstrip()
        if text:
            self.items.append(Block(text, self.section, self.page, kind))

    def omit(self, what: str, reason: str) -> None:
        """Note something that could not be kept; of a long name its beginning."""
        what = one_line(what)
        self.warnings.append(Omission(f"{what[:MAX_NAME]}…" if len(what) > MAX_NAME else what, one_line(reason)))

    def picture(self, data: bytes, name: str, alt: str = "", caption: str = "") -> bool:
        """Add a picture that decodes, or note why it does not and keep its words. Returns whether it was added.

        Whether it shows anything is judged afterwards, the same for all formats: see `ingestion.junk`.
        """
        alt, caption = one_line(alt), one_line(caption)
        data = unwrapped(data)
        try:
            data, info = self._inspected(data)
            picture = worded(data, info, alt, caption)
        except PictureError as exc:
            self.lost_picture(name, exc.given, alt, caption)
            return False
        self.items.append(replace(picture, section=self.section, page=self.page, name=name))
        return True

    def _inspected(self, data: bytes) -> tuple[bytes, PictureInfo]:
        """A picture and what it is: decoded once and held once however often the document shows it."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            shown, partial = drawn(data) if is_metafile(data) else (data, False)
            if partial:
                self.omit("parts of a metafile", "the renderer does not know how to draw them")
            self._known[digest] = shown, inspect(shown)
        return self._known[digest]

    def junk(self, reason: str) -> None:
        """Count a picture that is dropped because it shows nothing."""
        self._junk[reason] += 1

    def lost_picture(self, name: str, reason: str, alt: str = "", caption: str = "") -> None:
        """Note a picture that cannot be kept; its words stay in the text, so that they are found."""
        self.omit(f"picture {name}", reason)
        self.text("\n".join(dict.fromkeys(filter(None, (one_line(caption), one_line(alt))))), "caption")

    def linked_picture(self, src: str, base: Path, root: Path, alt: str = "", caption: str = "") -> None:
        """Add the picture that `src` points to: a data: URI or a file under `root`; what lies on the web only where it
        is asked for (`ingestion.remote`)."""
        if src[:5].lower() == "data:":
            try:
                data = data_uri(src)
            except ValueError as exc:
                self.lost_picture(f"{src[:40]}…", f"undecodable data: URI ({exc})", alt, caption)
                return
            self.picture(data, "data: URI", alt, caption)
            return
        found = resolve_link(src, base, root)
        if isinstance(found, str):
            self.remote_picture([src], found, alt, caption)
            return
        try:
            if found.stat().st_size > MAX_LINKED_BYTES:
                raise OSError(f"larger than {MAX_LINKED_BYTES} bytes")
            data = found.read_bytes()
        except OSError as exc:
            self.lost_picture(src, f"cannot be opened ({exc.strerror or exc})", alt, caption)
            return
        self.linked.append(found)
        self.picture(data, src, alt, caption)

    def remote_picture(self, sources: Sequence[str], reason: str, alt: str = "", caption: str = "") -> None:
        """Add the first picture among `sources` that can be fetched; where none is asked for, it is lost for
        `reason`."""
        src = sources[-1] if sources else ""
        for place, source in enumerate(sources[:MAX_TRIES]):
            if (got := remote.fetched(source)) is None:
                continue
            if got.path is not None:
                self.picture(got.path.read_bytes(), source, alt, caption)
                return
            src, reason = (source, got.reason) if place == 0 else (src, reason)
        self.lost_picture(src, reason, alt, caption)

    def document(self, title: str, mime: str, metadata: Mapping[str, Any] | None = None) -> ParsedDocument:
        """The finished document."""
        for reason, count in self._junk.items():
            self.omit(f"{count} picture{'s' if count > 1 else ''}", reason)
        return ParsedDocument(
            *(one_line(title), mime, tuple(self.items), dict(metadata or {}), tuple(self.warnings)),
            left_out=dict(self._junk),
            linked=tuple(dict.fromkeys(self.linked)),
        )


def whole(text: str, default: int) -> int:
    """The number that an attribute tells in at most nine digits; `default` for anything else. (`isdigit` is also true
    of "²", which `int` refuses, and longer numbers than a thousand digits are refused too.)"""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def data_uri(uri: str) -> bytes:
    """The bytes of a data: URI. Raises ValueError where it is malformed."""
    head, comma, payload = uri[5:].partition(",")
    if not comma:
        raise ValueError("no comma")
    if not head.lower().rstrip().endswith("base64"):
        return unquote_to_bytes(payload)
    compact = "".join(unquote(payload).split())
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4))
    except binascii.Error as exc:
        raise ValueError(str(exc)) from exc


def resolve_link(src: str, base: Path, root: Path) -> Path | str:
    """The file that `src` names, seen from the folder `base`; or the reason why it is not read.

    Only files under `root` (both resolved, so links cannot lead out) are read; `/x` means `x` under the root.
    """
    if not src.strip():
        return "no address given"
    try:
        parts = urlsplit(src)
    except ValueError:
        return "the address is malformed"
    if parts.scheme in ("http", "https", "ftp") or src.startswith("//"):
        return REMOTE
    if parts.scheme not in ("", "file") and len(parts.scheme) > 1:
        return f"addresses of the kind {parts.scheme}: are not read"
    # A file may really be called "a?b.png" or "50%.png": the name as written comes first.
    for name in dict.fromkeys((src, unquote(parts.path))):
        reason, path = _under(name, base, root)
        if path is not None:
            return path
    return reason


def _under(name: str, base: Path, root: Path) -> tuple[str, Path | None]:
    tries = [root / name.lstrip("/"), Path(name)] if name.startswith("/") else [base / name]
    reason = "the file does not exist"
    for candidate in tries:
        try:
            path = candidate.resolve()
            if not path.is_relative_to(root):
                reason = "not in the ingested folder, not read"
            elif path.is_file():
                return "", path
        except (OSError, ValueError, RuntimeError):
            reason = "the address is malformed"
    return reason, None
