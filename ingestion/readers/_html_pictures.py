"""The pictures of web pages: where an `img` says they are, and what else is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from bs4 import BeautifulSoup, Tag

from ingestion import remote
from ingestion.document import one_line
from ingestion.readers._builder import Builder, resolve_link

Show: TypeAlias = Callable[[Sequence[str], str, str], None]
"""Adds the picture at the first of its addresses that leads to one, with its alt text and caption, or says why not."""

_SIZE: Final = re.compile(r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})[wx](?:,+|$)")
_MAX_SOURCES: Final = 50
_LAZY: Final = ("data-src", "data-original", "data-lazy-src")


def linked_in(soup: BeautifulSoup, base: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures among the `img` elements of `soup`."""
    as_img(soup)
    found = (_first_local(addresses(img), base, root)[1] for img in soup.find_all("img"))
    return tuple(path for path in found if path is not None)


def local(builder: Builder, base: Path, root: Path) -> Show:
    """Pictures lie in files: relative addresses are seen from the folder `base`, and end under `root`."""
    return partial(_show_local, builder, base, root)


def _show_local(builder: Builder, base: Path, root: Path, sources: Sequence[str], alt: str, caption: str) -> None:
    src, path = _first_local(sources, base, root)
    here = path is not None or src[:5].lower() == "data:" or not remote.wanted()
    web = [] if here else [one for one in sources if remote.address(one)]
    if web:
        builder.remote_picture(web, "", alt, caption)
    else:
        builder.linked_picture(src, base, root, alt, caption)


def _first_local(sources: Sequence[str], base: Path, root: Path) -> tuple[str, Path | None]:
    """The first address that leads to a picture and its file; the last address where none does."""
    for src in sources:
        if src[:5].lower() == "data:":
            return src, None
        if isinstance(found := resolve_link(src, base, root), Path):
            return src, found
    return (sources[-1] if sources else ""), None


def as_img(soup: BeautifulSoup) -> None:
    """Let pictures in other elements be `img`: the only picture of an inline drawing (covers of books are made so), an
    `object` or `input` that is a picture. Elements change where they are: what is put in or taken out is looked for
    among all its neighbours, and a page may have ten thousands."""
    for svg in list(outermost(soup, lambda tag: tag.name == "svg")):
        title = svg.find("title")
        images = [image for image in svg.find_all("image") if image.get("xlink:href") or image.get("href")]
        words = one_line(title.get_text(" ")) if isinstance(title, Tag) else str(svg.get("aria-label") or "")
        if images:
            _become(svg, "span", {})
        for image in images:
            src = str(image.get("href") or image.get("xlink:href"))
            svg.append(soup.new_tag("img", attrs={"src": src, "alt": words}))
    for tag in soup.find_all("object"):
        if str(tag.get("type") or "").startswith("image/") and tag.get("data"):
            _become(tag, "img", {"src": str(tag["data"]), "alt": one_line(tag.get_text(" "))})
    for tag in soup.find_all("input", type="image", src=True):
        _become(tag, "img", {"src": str(tag["src"]), "alt": str(tag.get("alt") or "")})


def _become(tag: Tag, name: str, attributes: dict[str, str]) -> None:
    tag.clear()
    tag.name, tag.attrs = name, dict(attributes)


def outermost(root: Tag, wanted: Callable[[Tag], bool], closed: str = "") -> Iterator[Tag]:
    """The elements below `root` that are `wanted` and in no other such, nor in an element named `closed`; each element
    is looked at once."""
    ways = [iter(list(root.children))]
    while ways:
        child = next(ways[-1], None)
        if child is None:
            ways.pop()
        elif isinstance(child, Tag):
            if wanted(child):
                yield child
            elif child.name != closed:
                ways.append(iter(list(child.children)))


def addresses(img: Tag) -> list[str]:
    """The addresses of a picture, the largest first: those of its `srcset`, of the `picture` around it, and its `src`,
    also where it is loaded lazily."""
    lazy = next((value for key in _LAZY if (value := str(img.get(key) or "").strip())), "")
    plain = str(img.get("src") or "").strip()
    # What stands in `src` until a script replaces it is a spacer.
    plain = lazy if not plain or (lazy and plain[:5].lower() == "data:") else plain
    sets = [str(img.get("srcset") or img.get("data-srcset") or "")]
    picture = img.find_parent("picture")
    if picture is not None:
        sources = (
            tag for tag in picture.find_all("source", limit=_MAX_SOURCES) if _decodes(str(tag.get("type") or ""))
        )
        sets += [str(source.get("srcset") or source.get("data-srcset") or "") for source in sources]
    sized = [(1.0, plain)] if plain else []
    sized += [candidate for text in sets for candidate in _candidates(text)]
    return list(dict.fromkeys(address for _, address in sorted(sized, key=lambda pair: -pair[0])))


def _decodes(mime: str) -> bool:
    return mime.partition(";")[0].strip() in ("", "image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")


def _candidates(srcset: str) -> Iterator[tuple[float, str]]:
    """(size, address) of each candidate of a `srcset`: its width in pixels, or its density. An address may hold commas,
    as data: URIs do, but ends at white space."""
    words = srcset.split()
    at = 0
    while at < len(words):
        address = words[at].strip(",")
        ends = words[at].endswith(",")
        at += 1
        size = 1.0
        if not ends and at < len(words) and (told := _SIZE.match(words[at])):
            size = float(told[1])
            rest = words[at][told.end() :]
            words[at : at + 1] = [rest] if rest else []
        if address:
            yield size, address
