"""SVG drawings by resvg (resvg-py, MIT): drawn without looking at any file or address, in bounded size.

What resvg itself would read from the disk (`href` to files) is taken out before it sees the drawing, and so are
drawings nested deeper than its stack.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from PIL import Image

from rag.errors import PictureError

__all__ = ["DrawingWords", "drawing_words", "is_svg", "rasterized"]

MAX_BYTES: Final = 32 * 2**20
MAX_DEPTH: Final = 200
"""Levels of elements: resvg overflows its stack, and ends the process, somewhere above 1,000."""
MAX_EMBEDDED_PIXELS: Final = 50_000_000
"""Of all pictures within a drawing together."""
MAX_MATCHES: Final = 100_000_000
"""Selectors of the style sheets, times themselves and all elements: a few seconds. resvg sorts rules into a list one by
one, and asks each of them for each element."""
MAX_MARKS: Final = 40_000
"""Elements of a marker, times corners of lines (of two letters at least): about 5 seconds. Each is drawn anew."""
SMALL: Final = 48
SIDE: Final = 1024
MAX_SIDE: Final = 2048
"""Longest side in pixels: up to SMALL a drawing is an icon and stays as small as it is; others are drawn at least SIDE
large, and at most MAX_SIDE."""

_PANIC: Final = "PanicException"
"""What a failed assertion of a Rust library is in Python: no Exception, and of a class that cannot be imported."""
_SVG: Final = "http://www.w3.org/2000/svg"
_GZIP: Final = b"\x1f\x8b"
_EMBEDDED: Final = re.compile(r"data:image/(?:png|jpe?g|gif|webp)\s*(?:;[^,]*)?,", re.I)
_FILTER: Final = re.compile(r"(?<![\w-])filter\s{0,9}:[^;}]*", re.I)
_MARKED: Final = re.compile(r"(?<![\w-])marker(?:-mid)?\s{0,9}:[^;}]*", re.I)
_FAR: Final = re.compile(r"(?<![#\w.])[-+]?\d*\.?\d+e\+?0*[1-9]\d(?!\w)|(?<![#\w.])\d{20}", re.I)
_FAR_PATH: Final = re.compile(r"\de\+?0*[1-9]\d|(?<![.\d])\d{20}", re.I)
"""Numbers that no drawing has, as a value and within a path, where letters stand before them: resvg divides an arc or a
pattern whose size has some 30 digits for ever, and asks for more memory than there is for such a `viewBox`."""
_LENGTH: Final = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?\d+)?)\s*(px|pt|pc|mm|cm|in)?\s*", re.I)
_PIXELS: Final = {"": 1.0, "px": 1.0, "pt": 96 / 72, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}


@dataclass(frozen=True)
class DrawingWords:
    """What a drawing says: its own title and description, and the words that are drawn."""

    title: str
    description: str
    text: str


def is_svg(data: bytes) -> bool:
    """Whether the bytes begin as an SVG drawing does, compressed or not."""
    try:
        head = _unpacked(data, 8192, whole=False)
    except (zlib.error, ValueError):
        return False
    for encoding in ("utf-16", "utf-8"):
        if encoding == "utf-8" or head.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = head.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")
            return text.startswith("<") and re.search(r"<(?:\w+:)?svg[\s>]", text) is not None
    return False


def rasterized(data: bytes, label: str) -> Image.Image:
    """The drawing on white. Raises PictureError where it is no well-formed SVG, too large, or cannot be drawn."""
    import resvg_py
    from lxml import etree

    root = _parsed(data, label)
    _refuse_styles(root, label)
    _seclude(root)
    _unmark(root)
    side = _side(root)
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=etree.tostring(root, encoding="unicode", with_tail=False),
            background="white",
            width=side,
            height=side,
            dpi=96,
        )
    except BaseException as exc:
        if not isinstance(exc, ValueError) and type(exc).__name__ != _PANIC:
            raise
        raise PictureError(
            f"{label} is an SVG that cannot be drawn ({exc})", advice="open and save it with a drawing program"
        ) from exc
    image = Image.open(BytesIO(png), formats=("PNG",)).convert("RGB")
    image.format = "SVG"
    return image


def drawing_words(data: bytes) -> DrawingWords:
    """The words of a drawing. Raises PictureError as `rasterized` does."""
    root = _parsed(data, "the drawing")
    said: dict[str, list[str]] = {"title": [], "desc": [], "text": []}
    for name, parts in said.items():
        for element in root.iter(f"{{{_SVG}}}{name}"):
            words = " ".join("".join(element.itertext()).split())
            if words and words not in parts:
                parts.append(words)
    # The first title and description are the drawing's own; others belong to shapes within it.
    own = [next(iter(said[name]), "") if _of_root(root, name) else "" for name in ("title", "desc")]
    shapes = [words for name in ("title", "desc") for words in said[name] if words not in own]
    return DrawingWords(own[0], own[1], "\n".join(dict.fromkeys((*said["text"], *shapes))))


def _of_root(root: Any, name: str) -> bool:
    found = root.find(f".//{{{_SVG}}}{name}")
    return found is not None and found.getparent() is root


def _parsed(data: bytes, label: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities="internal", no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(_unpacked(data, MAX_BYTES, whole=True), parser)
    except (etree.XMLSyntaxError, zlib.error, ValueError) as exc:
        raise PictureError(
            f"{label} is not a well-formed SVG ({' '.join(str(exc).split())})", advice="save it again, or as PNG"
        ) from exc
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise PictureError(
                f"{label} is an SVG nested too deeply", f"at most {MAX_DEPTH} levels", "simplify it, or save it as PNG"
            )
    return root


def _unpacked(data: bytes, limit: int, whole: bool) -> bytes:
    """At most `limit` bytes. Raises ValueError for more where the `whole` is wanted."""
    unpacked = data[: limit + 1]
    if data.startswith(_GZIP):
        unpacked = zlib.decompressobj(wbits=31).decompress(data, limit + 1)
    if whole and len(unpacked) > limit:
        raise ValueError(f"more than {limit} bytes")
    return unpacked[:limit]


def _seclude(root: Any) -> None:
    """Take out every reference that leads out of the drawing, pictures within it that are too large, numbers beyond all
    sizes, and filters.

    A filter is computed over all that it covers, in or out of sight: a path that leads far away under a blur takes
    minutes. Without its shadow a drawing shows the same.
    """
    left = MAX_EMBEDDED_PIXELS
    for element in root.iter():
        element.attrib.pop("filter", None)
        for key in [key for key, value in element.attrib.items() if (_FAR_PATH if key == "d" else _FAR).search(value)]:
            if not key.endswith("href"):
                del element.attrib[key]
        if "style" in element.attrib:
            element.attrib["style"] = _FILTER.sub("", element.attrib["style"])
        if element.tag == f"{{{_SVG}}}style":
            element.text = _FILTER.sub("", element.text or "")
        for key in [key for key in element.attrib if key.rpartition("}")[2] == "href"]:
            target = element.attrib[key].strip()
            if target.startswith("#"):
                continue
            pixels = _embedded_pixels(target)
            if pixels is None or pixels > left:
                del element.attrib[key]
            else:
                left -= pixels


def _refuse_styles(root: Any, label: str) -> None:
    """Raises PictureError where matching the style sheets would take too long: without them it is another drawing."""
    sheets = ["".join(style.itertext()) for style in root.iter(f"{{{_SVG}}}style")]
    selectors = sum(sheet.count("{") + sheet.count(",") for sheet in sheets)
    elements = sum(1 for _ in root.iter())
    if selectors * (selectors + elements) > MAX_MATCHES:
        raise PictureError(
            f"{label} is an SVG with {selectors} styles for {elements} elements",
            f"at most {MAX_MATCHES} matches of one with the other",
            "simplify it, or save it as PNG",
        )


def _unmark(root: Any) -> None:
    """Take the marks off the corners of lines, not off their ends, where too many would be drawn."""
    corners = sum(len(element.get(key, "")) for element in root.iter() for key in ("d", "points")) // 2
    largest = max((sum(1 for _ in marker.iter()) for marker in root.iter(f"{{{_SVG}}}marker")), default=0)
    if corners * largest <= MAX_MARKS:
        return
    for element in root.iter():
        element.attrib.pop("marker-mid", None)
        if "style" in element.attrib:
            element.attrib["style"] = _MARKED.sub("", element.attrib["style"])
        if element.tag == f"{{{_SVG}}}style":
            element.text = _MARKED.sub("", element.text or "")


def _embedded_pixels(uri: str) -> int | None:
    """Pixels of a data: picture; None for anything else."""
    if not (head := _EMBEDDED.match(uri)):
        return None
    try:
        payload = uri[head.end() :]
        data = base64.b64decode(payload) if ";base64" in head[0].lower() else unquote_to_bytes(payload)
        with Image.open(BytesIO(data), formats=("PNG", "JPEG", "GIF", "WEBP")) as image:
            return image.width * image.height
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError):
        return None


def _side(root: Any) -> int:
    """The longest side to draw at. A drawing that does not tell its size is drawn at SIDE."""
    given = [_pixels(root.get(name, "")) for name in ("width", "height")]
    box = [_pixels(part) for part in re.split(r"[\s,]+", root.get("viewBox", "").strip())[2:4]]
    longest = max((size for size in (given if all(given) else box) if size), default=0.0)
    return round(longest) or 1 if 0 < longest <= SMALL else round(min(max(longest, SIDE), MAX_SIDE))


def _pixels(length: str) -> float:
    match = _LENGTH.fullmatch(length)
    return float(match[1]) * _PIXELS[(match[2] or "").lower()] if match else 0.0
