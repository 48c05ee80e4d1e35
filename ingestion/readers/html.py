"""Web pages: headings, paragraphs, lists, tables, code and pictures with their captions; without menus and scripts.

Books, notebooks, e-mail and Markdown are read by it too: what differs is only where their pictures lie, which `show`
knows.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PreformattedString
from bs4.exceptions import ParserRejectedMarkup

from ingestion.document import BlockKind, ParsedDocument, one_line
from ingestion.readers._builder import Builder, whole
from ingestion.readers._html_pictures import Show, addresses, as_img, linked_in, local, outermost
from ingestion.readers._links import address_suffix
from ingestion.readers._tables import Cell, add_table, spread
from rag.errors import SourceError

_NOISE: Final = (
    *("script", "style", "noscript", "template", "nav", "svg", "iframe", "object", "embed", "audio", "video", "canvas"),
    *("button", "select", "dialog", "head", "map"),
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
_MAX_TABLES: Final = 20
"""Tables in cells of tables, likewise: each is looked through as often as it lies in others."""
_IN_LAYOUTS: Final = ("p", "ul", "ol", "h1", "h2", "h3", "h4", "div")


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened."""
    soup = _soup(path)
    builder = Builder()
    metadata = metadata_of(soup)
    title = title_of(soup)
    add_html(soup, builder, local(builder, path.parent, root))
    if not title:
        title = next((block.text for block in builder.items if getattr(block, "kind", "") == "heading"), path.stem)  # type: ignore[union-attr]
    return builder.document(title, "text/html", metadata)


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures that the page shows."""
    return linked_in(_soup(path), path.parent, root)


def parse(markup: str | bytes) -> BeautifulSoup:
    """`markup` as a tree. lxml accepts anything that can be encoded; its remarks about XML and file names are not for
    our users."""
    encoding = "utf-8" if isinstance(markup, str) else None
    if isinstance(markup, str):
        markup = markup.encode("utf-8", "ignore")  # half a character, as in JSON that was cut, is none
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return BeautifulSoup(markup, "lxml", from_encoding=encoding)
        except ParserRejectedMarkup as exc:
            raise SourceError(f"the HTML cannot be parsed ({exc})", advice="save the page again") from exc


def _soup(path: Path) -> BeautifulSoup:
    try:
        return parse(path.read_bytes())
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc


def title_of(soup: BeautifulSoup) -> str:
    """The title of the page; empty where it has none. (A drawing in the page may have one of its own.)"""
    title = soup.head.title if soup.head is not None else None
    return one_line(title.get_text(" ")) if title is not None else ""


def metadata_of(soup: BeautifulSoup) -> dict[str, Any]:
    """Description, author, keywords, date and language of the page, as far as told."""
    found: dict[str, Any] = {}
    for name in ("description", "author", "keywords", "date"):
        tag = soup.find("meta", attrs={"name": name})
        if isinstance(tag, Tag) and (content := one_line(str(tag.get("content") or ""))):
            found[name] = content
    if soup.html is not None and (language := soup.html.get("lang")):
        found["language"] = str(language)
    return found


def add_html(soup: BeautifulSoup, builder: Builder, show: Show) -> None:
    """Add the content of `soup` to `builder`, its pictures by `show`."""
    base = soup.find("base", href=True)
    prefix = str(base["href"]) if isinstance(base, Tag) else ""
    walker = _Walker(builder, show, prefix if prefix.lower().startswith(("http://", "https://")) else "")
    as_img(soup)
    for noise in list(outermost(soup, _is_noise)):
        if noise.name != "noscript":  # repeats what a script would load
            for _ in noise.find_all("img"):
                builder.junk("in menus and search forms")
        noise.clear()
        noise.name = "noise"  # empty where it is: to take it out costs a look at all its neighbours
    walker.children(soup, 0)
    walker.flush()


class _Walker:
    """Walks the tree in reading order; inline text gathers until a block begins or ends."""

    def __init__(self, builder: Builder, show: Show, prefix: str) -> None:
        self.builder, self.show, self.prefix = builder, show, prefix
        self._inline: list[str] = []
        self._marker = ""
        self._after: list[Tag] = []
        self._lists: list[int | None] = []
        self._told: set[str] = set()
        self._tables = 0

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
        if _is_hidden(tag) or (name == "input" and tag.get("type") not in ("checkbox", "radio")):
            return
        if name in _HEADINGS:
            self.heading(tag, _HEADINGS[name])
        elif name == "img":
            self._after.append(tag)
        elif name in ("br", "input", "math"):
            self._inline.append(_sign(tag, name))
        elif name == "pre":
            self.flush()
            self.builder.text(tag.get_text(), "code")
        elif depth > _MAX_DEPTH:
            self._inline.append(tag.get_text(" "))
            self.builder.omit("structure", f"elements nested deeper than {_MAX_DEPTH} are kept as plain text")
        elif name == "table":
            self.table(tag, depth)
        elif name == "figure":
            self.figure(tag, depth)
        elif name in _BLOCKS:
            self.block(tag, name, depth)
        else:
            self.children(tag, depth)
            if name == "a":
                self.address(tag)

    def address(self, tag: Tag) -> None:
        """The address of a link, where it says more than its label."""
        suffix = address_suffix(tag.get_text(" "), str(tag.get("href") or ""), self._told)
        if suffix and tag.find([*_HEADINGS, *_BLOCKS, "table"]) is None:
            self._inline.append(suffix)

    def block(self, tag: Tag, name: str, depth: int) -> None:
        """A block element: what was gathered ends before it, and what it gathers ends with it."""
        self.flush()
        if name in ("ol", "ul", "menu"):
            self._lists.append(_start(str(tag.get("start") or "")) - 1 if name == "ol" else None)
        elif name == "li":
            self._marker = self.marker(tag)
        self.children(tag, depth)
        self.flush()
        if name == "li":
            self._marker = ""
        elif name in ("ol", "ul", "menu"):
            self._lists.pop()

    def marker(self, item: Tag) -> str:
        """What stands before an item: its number in an ordered list, a dash in any other, indented by its depth."""
        indent = "  " * max(0, len(self._lists) - 1)
        if not self._lists or (last := self._lists[-1]) is None:
            return f"{indent}- "
        self._lists[-1] = number = whole(str(item.get("value") or ""), last + 1)
        return f"{indent}{number}. "

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
        for img in pictures:
            self.picture(img, caption)
            img.name = "shown"
        if isinstance(caption_tag, Tag) and pictures:
            caption_tag.clear()
        self.children(tag, depth)
        self.flush()

    def picture(self, img: Tag, caption: str) -> None:
        """A picture; without a figure around it, its `title` is its caption."""
        caption = caption or str(img.get("title") or "")
        sources = [self.absolute(src) for src in addresses(img)]
        self.show(sources, str(img.get("alt") or ""), caption)

    def absolute(self, src: str) -> str:
        """`src` as the page's `base` means it, where that is on the web."""
        try:
            return urljoin(self.prefix, src) if self.prefix else src
        except ValueError:
            return src

    def table(self, tag: Tag, depth: int) -> None:
        """A table as lines of cells, then the tables in its cells; one of single cells only lays out the page."""
        self.flush()
        if depth > _MAX_DEPTH or self._tables >= _MAX_TABLES:
            self.builder.text(tag.get_text(" "))
            return
        self._tables += 1
        self.rows(tag, depth)
        self._tables -= 1

    def rows(self, tag: Tag, depth: int) -> None:
        """What a table holds."""
        rows = _of_table(tag, "tr")
        cells = [row.find_all(["td", "th"], recursive=False) for row in rows]
        inner = _of_table(tag, "table")
        if max(map(len, cells), default=0) < 2 or (inner and _has(tag, *_IN_LAYOUTS) and not _has(tag, "th")):
            self.layout(tag, depth)
            return
        for table in inner:
            table.extract()
        caption = tag.find("caption")
        title = one_line(caption.get_text(" ")) if isinstance(caption, Tag) else ""
        grid = spread([[self.cell(cell) for cell in row] for row in cells if row])
        add_table(self.builder, grid, title)
        for img in tag.find_all("img"):
            self.picture(img, "")
        for table in inner:
            self.table(table, depth + 3)

    def layout(self, tag: Tag, depth: int) -> None:
        """What the cells of a table hold, one after the other."""
        for part in _of_table(tag, "caption", "td", "th"):
            self.children(part, depth + 1)
            self.flush()

    def cell(self, tag: Tag) -> Cell:
        """A cell's words, with line breaks as spaces, and its reach."""
        for box in tag.find_all("input", type=["checkbox", "radio"]):
            box.string = _box(box)  # in its place: to put something else there takes a look at all its neighbours
        for math in tag.find_all("math"):
            math.string = f" {_formula(math)} "
        return Cell(one_line(_inline_text(tag)), _number(tag.get("colspan")), _number(tag.get("rowspan")))


def _has(tag: Tag, *names: str) -> bool:
    return tag.find(names) is not None


def _of_table(table: Tag, *names: str) -> list[Tag]:
    """The outermost elements of these names in a table, without those of the tables in it."""
    return list(outermost(table, lambda tag: tag.name in names, closed="table"))


def _is_hidden(tag: Tag) -> bool:
    """Whether nobody sees an element. A note of a book is only hidden until its number is touched."""
    return tag.has_attr("hidden") and "note" not in f"{tag.get('epub:type')} {tag.get('role')}"


def _is_noise(tag: Tag) -> bool:
    return tag.name in _NOISE or tag.get("role") in ("navigation", "search")


def _sign(tag: Tag, name: str) -> str:
    """What an element without text of its own says within a line."""
    if name == "br":
        return "\n"
    return f" {_formula(tag)} " if name == "math" else _box(tag)


def _box(tag: Tag) -> str:
    return "[x] " if tag.has_attr("checked") else "[ ] "


def _inline_text(tag: Tag) -> str:
    """The text of a cell: blocks stand apart, words that are only styled do not."""
    parts = []
    for piece in tag.descendants:
        if isinstance(piece, Tag):
            parts.append(" " if piece.name in _BLOCKS or piece.name in (*_HEADINGS, "br", "pre") else "")
        elif not isinstance(piece, PreformattedString):
            parts.append(str(piece))
    return "".join(parts)


def _formula(math: Tag) -> str:
    """A formula as its TeX source where the page gives it, else as its signs in their order."""
    source = math.find("annotation", encoding=re.compile("tex", re.I))
    return one_line(source.get_text() if isinstance(source, Tag) else str(math.get("alttext") or math.get_text(" ")))


def _number(value: Any) -> int:
    return whole(str(value or "").strip(), 1)


def _start(text: str) -> int:
    """The first number of a list; it may be negative."""
    return -whole(text[1:], -1) if text.startswith("-") else whole(text, 1)
