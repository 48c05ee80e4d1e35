"""Electronic books: the files of the spine, in its order, read as web pages; pictures lie in the same archive.

EPUB 2 and 3 are zip files with XHTML (W3C EPUB 3.3); zipfile, lxml and the HTML reader are all it takes.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ingestion.document import ParsedDocument, one_line
from ingestion.readers import _zip, html
from ingestion.readers._builder import REMOTE, Builder
from ingestion.readers._office import DAMAGED, damaged
from rag.errors import SourceError

_MIME: Final = "application/epub+zip"
_PAGES: Final = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")
_SCALARS: Final = {"title": "title", "language": "language", "date": "date", "publisher": "publisher"}
_LISTS: Final = {"creator": "author", "subject": "keywords"}
_FONT_OBFUSCATION: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the book is encrypted or damaged."""
    try:
        with _zip.opened(path) as archive:
            _refuse_protected(archive, path)
            return _Book(archive).document(path)
    except DAMAGED as exc:
        raise damaged(path, "EPUB", exc) from exc


def _refuse_protected(archive: zipfile.ZipFile, path: Path) -> None:
    """Fonts are often obfuscated, which harms nobody; anything else that is encrypted is the book."""
    tree = _zip.read_xml(archive, "META-INF/encryption.xml")
    methods = [] if tree is None else [element.get("Algorithm", "") for element in tree.iter("{*}EncryptionMethod")]
    if any(method not in _FONT_OBFUSCATION for method in methods):
        raise SourceError(f"{path} is encrypted (DRM)", "unencrypted books are read", "get it without protection")


class _Book:
    """One pass over a book."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive, self.builder = archive, Builder()
        self.shown: set[str] = set()
        self.damaged = False
        """Whether a page could not be read."""
        self.package = self._package()
        self.opf = _zip.parse_xml(archive.read(self.package))
        self.items = {
            item.get("id", ""): (_zip.member(archive, self.package, item.get("href", "")), item)
            for item in self.opf.iterfind("{*}manifest/{*}item")
        }

    def _package(self) -> str:
        container = _zip.parse_xml(self.archive.read("META-INF/container.xml"))
        for rootfile in container.iter("{*}rootfile"):
            if (name := _zip.member(self.archive, "", rootfile.get("full-path", ""))) is not None:
                return name
        raise ValueError("the container names no package")

    def document(self, path: Path) -> ParsedDocument:
        """The pages of the spine, each under the name that the table of contents gives it where it has no heading."""
        labels = self._labels()
        for reference in self.opf.iterfind("{*}spine/{*}itemref"):
            name, item = self.items.get(reference.get("idref", ""), (None, None))
            if name is None:
                self.builder.omit(f"part {reference.get('idref')}", "the book does not hold it")
            elif item.get("media-type") in _PAGES or name.endswith((".xhtml", ".html", ".htm")):
                self._page(name, labels)
            else:
                self._show(name, [posixpath.basename(name)], "", "")
        if self.damaged and not self.builder.items:
            raise ValueError("none of its pages can be read")
        metadata = self._metadata()
        title = metadata.pop("title", "") or path.stem
        self._cover(title)
        _zip.count_unshown(self.archive, self.shown, self.builder)
        return self.builder.document(title, _MIME, metadata)

    def _page(self, name: str, labels: dict[str, str]) -> None:
        try:
            soup = html.parse(self.archive.read(name))
        except (SourceError, *_zip.BROKEN) as exc:
            self.damaged = True
            self.builder.omit(f"part {name}", f"damaged ({exc})")
            return
        self.builder.leave_sections()
        if soup.find(["h1", "h2", "h3", "h4", "h5", "h6"]) is None:
            self.builder.heading(labels.get(name, ""), 1, keep=False)
        html.add_html(soup, self.builder, partial(self._show, name))

    def _show(self, base: str, sources: Sequence[str], alt: str, caption: str) -> None:
        """The first picture among `sources`, seen from the member `base`."""
        for src in sources:
            if src[:5].lower() == "data:":
                self.builder.linked_picture(src, Path(), Path(), alt, caption)
                return
            if (name := _zip.member(self.archive, base, src)) is not None:
                self.shown.add(name)
                _zip.add_picture(self.archive, name, self.builder, alt, caption)
                return
        remote = [src for src in sources if _netloc(src)]
        missing = "the book does not hold it"
        self.builder.remote_picture(remote or sources[-1:], REMOTE if remote else missing, alt, caption)

    def _cover(self, title: str) -> None:
        """The cover, where no page shows it."""
        named = {meta.get("content") for meta in self.opf.iterfind("{*}metadata/{*}meta[@name='cover']")}
        for identity, (name, item) in self.items.items():
            declared = identity in named or "cover-image" in item.get("properties", "").split()
            if declared and name is not None and name not in self.shown:
                self.shown.add(name)
                self.builder.leave_sections()
                _zip.add_picture(self.archive, name, self.builder, caption=f"Cover of {title}")

    def _labels(self) -> dict[str, str]:
        """Member -> what the table of contents calls it: the navigation document, else the NCX of EPUB 2."""
        for name, item in self.items.values():
            if name is not None and "nav" in item.get("properties", "").split():
                try:
                    links = html.parse(self.archive.read(name)).select("nav a[href]")
                except (SourceError, *_zip.BROKEN) as exc:
                    self.builder.omit(f"table of contents {name}", f"damaged ({exc})")
                    break
                return self._first(name, [(str(a["href"]), a.get_text(" ")) for a in links])
        for name, item in self.items.values():
            tree = _zip.read_xml(self.archive, name) if name and "ncx" in item.get("media-type", "") else None
            if name is not None and tree is not None:
                points = tree.iter("{*}navPoint")
                named = [(p.find("{*}content"), p.findtext("{*}navLabel/{*}text") or "") for p in points]
                return self._first(name, [(c.get("src", ""), text) for c, text in named if c is not None])
        return {}

    def _first(self, base: str, links: list[tuple[str, str]]) -> dict[str, str]:
        found: dict[str, str] = {}
        for href, label in links:
            member = _zip.member(self.archive, base, href.partition("#")[0])
            if member is not None:
                found.setdefault(member, one_line(label))
        return found

    def _metadata(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for element in self.opf.iterfind("{*}metadata/{http://purl.org/dc/elements/1.1/}*"):
            name, value = element.tag.rpartition("}")[2], one_line("".join(element.itertext()))
            if value and name in _SCALARS:
                fields.setdefault(_SCALARS[name], value)
            elif value and name in _LISTS:
                fields.setdefault(_LISTS[name], []).append(value)
        return {
            key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in fields.items()
        }


def _netloc(src: str) -> str:
    try:
        return urlsplit(src).netloc
    except ValueError:
        return ""
