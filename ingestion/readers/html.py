"""Web pages: headings, paragraphs, lists, tables, code and pictures with their captions; without menus and scripts."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PreformattedString
from bs4.exceptions import ParserRejectedMarkup

from ingestion.document import BlockKind, ParsedDocument, one_line
from ingestion.readers._builder import Builder, resolve_link
from rag.errors import SourceError

_NOISE: Final = (
    *("script", "style", "noscript", "template", "nav", "svg", "iframe", "object", "embed", "audio", "video", "canvas"),
    *("button", "select", "input", "dialog", "head", "map"),
)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_BLOCKS: Final = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt"),
        *("fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main"),
        *("ol", "p", "section", "summary", "ul"),
    }
)
_MAX_DEPTH: Final = 120
"""Deeper nesting is flattened to its text: a page made to exhaust the stack must not."""


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened."""
    soup = _soup(path)
    builder = Builder()
    metadata = _metadata(soup)
    title = one_line(soup.title.get_text(" ")) if soup.title else ""
    add_html(soup, builder, path.parent, root)
    if not title:
        title = next((block.text for block in builder.items if getattr(block, "kind", "") == "heading"), path.stem)  # type: ignore[union-attr]
    return builder.document(title, "text/html", metadata)


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures that the page shows."""
    return linked_in(_soup(path), path.parent, root)


def linked_in(soup: BeautifulSoup, base: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures among the `img` elements of `soup`."""
    found = (resolve_link(source_of(img), base, root) for img in soup.find_all("img"))
    return tuple(path for path in found if isinstance(path, Path))


def parse(markup: str | bytes) -> BeautifulSoup:
    """`markup` as a tree. lxml accepts anything; its remarks about XML and file names are not for our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return BeautifulSoup(markup, "lxml")
        except ParserRejectedMarkup as exc:
            raise SourceError(f"the HTML cannot be parsed ({exc})", advice="save the page again") from exc


def _soup(path: Path) -> BeautifulSoup:
    try:
        return parse(path.read_bytes())
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc


def _metadata(soup: BeautifulSoup) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("description", "author", "keywords", "date"):
        tag = soup.find("meta", attrs={"name": name})
        if isinstance(tag, Tag) and (content := one_line(str(tag.get("content") or ""))):
            found[name] = content
    if soup.html is not None and (language := soup.html.get("lang")):
        found["language"] = str(language)
    return found


def add_html(soup: BeautifulSoup, builder: Builder, base: Path, root: Path) -> None:
    """Add the content of `soup` to `builder`; relative pictures are looked for in the folder `base`, under `root`."""
    remote = soup.find("base", href=True)
    prefix = str(remote["href"]) if isinstance(remote, Tag) else ""
    walker = _Walker(builder, base, root, prefix if urlsplit(prefix).scheme in ("http", "https") else "")
    for noise in [*soup(_NOISE), *soup.find_all(role=["navigation", "search"])]:
        noise.extract()
    walker.children(soup, 0)
    walker.flush()


def source_of(img: Tag) -> str:
    """The address of a picture, also where it is loaded lazily or chosen from a set."""
    for key in ("src", "data-src", "data-original"):
        if value := str(img.get(key) or "").strip():
            return value
    chosen = str(img.get("srcset") or img.get("data-srcset") or "").split(",")[0].split()
    return chosen[0] if chosen else ""


class _Walker:
    """Walks the tree in reading order; inline text gathers until a block begins or ends."""

    def __init__(self, builder: Builder, base: Path, root: Path, prefix: str) -> None:
        self.builder, self.base, self.root, self.prefix = builder, base, root, prefix
        self._inline: list[str] = []
        self._marker = ""
        self._after: list[Tag] = []

    def flush(self, kind: BlockKind = "paragraph") -> None:
        """End the paragraph that is being gathered; the pictures within it follow it."""
        text = re.sub(r"[ \t\r\f\v]+", " ", "".join(self._inline))
        text = "\n".join(line.strip() for line in text.split("\n") if line.strip())
        self._inline.clear()
        if text:
            self.builder.text(self._marker + text, "list" if self._marker else kind)
            self._marker = ""
        pictures, self._after = self._after, []
        for img in pictures:
            self.picture(img, "")

    def children(self, tag: Tag, depth: int) -> None:
        """Walk into `tag`."""
        for child in list(tag.children):
            if isinstance(child, Tag):
                self.element(child, depth + 1)
            elif isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
                self._inline.append(re.sub(r"\s+", " ", child))

    def element(self, tag: Tag, depth: int) -> None:
        """Add one element."""
        name = tag.name.lower()
        if tag.has_attr("hidden"):
            return
        if name in _HEADINGS:
            self.heading(tag, _HEADINGS[name])
        elif name == "img":
            self._after.append(tag)
        elif name == "br":
            self._inline.append("\n")
        elif name == "pre":
            self.flush()
            self.builder.text(tag.get_text(), "code")
        elif name == "table":
            self.table(tag, depth)
        elif name == "figure":
            self.figure(tag, depth)
        elif depth > _MAX_DEPTH:
            self._inline.append(tag.get_text(" "))
            self.builder.omit("structure", f"elements nested deeper than {_MAX_DEPTH} are kept as plain text")
        elif name in _BLOCKS:
            self.block(tag, name, depth)
        else:
            self.children(tag, depth)

    def block(self, tag: Tag, name: str, depth: int) -> None:
        """A block element: what was gathered ends before it, and what it gathers ends with it."""
        self.flush()
        if name == "li":
            self._marker = "- "
        self.children(tag, depth)
        self.flush()
        if name == "li":
            self._marker = ""

    def heading(self, tag: Tag, level: int) -> None:
        """A heading opens a section; pictures within it are its first items."""
        self.flush()
        self.builder.heading(tag.get_text(" "), level)
        for img in tag.find_all("img"):
            self.picture(img, "")

    def figure(self, tag: Tag, depth: int) -> None:
        """A figure: its caption goes to its pictures; without a picture it stays as text."""
        self.flush()
        caption_tag = tag.find("figcaption")
        caption = one_line(caption_tag.get_text(" ")) if isinstance(caption_tag, Tag) else ""
        pictures = tag.find_all("img")
        if isinstance(caption_tag, Tag) and pictures:
            caption_tag.extract()
        for img in pictures:
            self.picture(img, caption)
            img.extract()
        self.children(tag, depth)
        self.flush()

    def picture(self, img: Tag, caption: str) -> None:
        """A picture; without a figure around it, its `title` is its caption."""
        caption = caption or str(img.get("title") or "")
        src = source_of(img)
        if self.prefix and not urlsplit(src).scheme:
            src = f"{self.prefix.rstrip('/')}/{src.lstrip('/')}"
        self.builder.linked_picture(src, self.base, self.root, str(img.get("alt") or ""), caption)

    def table(self, tag: Tag, depth: int) -> None:
        """A table as lines of cells; a table without more than one cell in a row only lays out the page."""
        self.flush()
        nested = tag.find("table") is not None
        rows = [row.find_all(["td", "th"], recursive=False) for row in tag.find_all("tr")]
        if nested or max(map(len, rows), default=0) < 2:
            for part in tag.find_all(["caption", "td", "th"]):
                if part.find_parent("table") is tag:
                    self.children(part, depth)
                    self.flush()
            return
        caption = tag.find("caption")
        lines = [one_line(caption.get_text(" "))] if isinstance(caption, Tag) else []
        lines += [" | ".join(one_line(cell.get_text(" ")) for cell in row) for row in rows if row]
        self.builder.text("\n".join(line for line in lines if line.strip(" |")), "table")
        for img in tag.find_all("img"):
            self.picture(img, "")
