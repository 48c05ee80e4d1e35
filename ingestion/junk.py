"""Pictures that show nothing, left out by the same rules whatever the format: see docs/ingestion.md."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from itertools import groupby
from typing import Final

from PIL import Image

from ingestion.document import Block, Item, Omission, ParsedDocument, Picture
from ingestion.picture import inspect
from rag.pictures import MAX_PIXELS, open_picture

__all__ = ["ICON", "LOGO", "TINY", "is_logo", "without_junk"]

SPECK: Final = 2
"""Pixels: a picture that fits into this square is a tracking pixel or a spacer, whatever its words say."""
TINY: Final = 16
"""Pixels on the shorter side, below which a picture without words is a spacer, a rule or a bullet."""
ICON: Final = 24
"""Pixels on the longer side, up to which a picture without words is an icon."""
REPEATED_ICON: Final = 64
"""The same, for one that the document shows more than once."""
LOGO_PAGES: Final = 4
"""A picture without words that is on at least half of so many pages or more is a logo or a background."""
STRIPS: Final = 3
STRIP_RATIO: Final = 6.0
"""So many pictures in a row, of one width, without words, each this much wider than high, are slices of one."""

LOGO: Final = "a logo or background, on half of the pages or more"

_REASONS: Final = {
    "speck": f"at most {SPECK}×{SPECK} pixels",
    "tiny": f"smaller than {TINY} pixels and without words",
    "flat": "of a single colour",
    "icon": f"an icon without words (at most {ICON} pixels, {REPEATED_ICON} where repeated)",
    "logo": LOGO,
    "again": "shown before in this document",
    "slice": "slices of a picture that was cut into strips, put together again",
}


def without_junk(document: ParsedDocument) -> ParsedDocument:
    """The document without the pictures that show nothing, each counted in `left_out` and `warnings` under its reason.

    A picture with a caption or an alt text is never left out, unless it is a speck; then its words stay as text. Slices
    of a picture become that picture again. A picture file by itself is never junk, for it was given on purpose.
    """
    if document.mime.startswith("image/") or not document.pictures:
        return document
    whole, slices = _joined(document.items)
    judged = _judge(whole)
    items: list[Item] = []
    for index, item in enumerate(whole):
        if index not in judged:
            items.append(item)
        elif isinstance(item, Picture) and item.words:
            items.append(Block(item.words, item.section, item.page, "caption"))
    counts = Counter(_REASONS[reason] for reason in judged.values()) + Counter({_REASONS["slice"]: slices})
    told = (Omission(f"{count} picture{'s' if count > 1 else ''}", reason) for reason, count in counts.items())
    return replace(
        document,
        items=tuple(items),
        warnings=(*document.warnings, *told),
        left_out=dict(Counter(document.left_out) + counts),
    )


def is_logo(on: int, pages: int) -> bool:
    """Whether a picture without words that is shown on so many of the pages is a logo or a background."""
    return pages >= LOGO_PAGES and on * 2 >= pages


def _judge(items: Sequence[Item]) -> dict[int, str]:
    """The reason for each picture that is left out, by its place."""
    shown: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        if isinstance(item, Picture):
            shown[hashlib.sha256(item.data).hexdigest()].append(index)
    pages = len({item.page for item in items if item.page is not None})
    judged: dict[int, str] = {}
    for places in shown.values():
        alone = {index: reason for index in places if (reason := _alone(_picture(items[index]), len(places)))}
        left = [index for index in places if index not in alone]
        judged |= alone | _repeated(items, left, pages)
    return judged


def _alone(picture: Picture, times: int) -> str:
    """Why a picture that is shown so many times is left out by what it is itself; "" if it is not."""
    if max(picture.width, picture.height) <= SPECK:
        return "speck"
    if picture.words:
        return ""
    if min(picture.width, picture.height) < TINY:
        return "tiny"
    if picture.flat:
        return "flat"
    return "icon" if max(picture.width, picture.height) <= (REPEATED_ICON if times > 1 else ICON) else ""


def _repeated(items: Sequence[Item], places: Sequence[int], pages: int) -> dict[int, str]:
    """Which of the places of one picture are left out. One with words beside it always stays."""
    bare = [index for index in places if not _picture(items[index]).words]
    on = {items[index].page for index in bare} - {None}
    if len(bare) == len(places) and is_logo(len(on), pages):
        return dict.fromkeys(bare, "logo")
    first = places[:1] if len(bare) == len(places) else []
    return {index: "again" for index in bare if index not in first}


def _joined(items: Sequence[Item]) -> tuple[list[Item], int]:
    """The items with every run of slices put together from top to bottom, and how many slices there were."""
    whole: list[Item] = []
    slices = 0
    for strips, run in groupby(items, _strip_of):
        group = list(run)
        if strips is None or len(group) < STRIPS or _pixels(group) > MAX_PIXELS:
            whole += group
            continue
        slices += len(group)
        whole.append(_stacked([_picture(item) for item in group]))
    return whole, slices


def _pixels(items: Sequence[Item]) -> int:
    return sum(picture.width * picture.height for picture in map(_picture, items))


def _strip_of(item: Item) -> tuple[int, int | None] | None:
    """What strips of one picture have in common: width and page. None for what is no strip."""
    strip = isinstance(item, Picture) and not item.words and item.width >= STRIP_RATIO * item.height
    return (item.width, item.page) if isinstance(item, Picture) and strip else None


def _stacked(strips: Sequence[Picture]) -> Picture:
    images = [open_picture(strip.data) for strip in strips]
    sheet = Image.new("RGB", (strips[0].width, sum(image.height for image in images)))
    top = 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    info = inspect(buffer.getvalue())
    return replace(
        strips[0],
        data=buffer.getvalue(),
        mime=info.mime,
        height=info.height,
        phash=info.phash,
        flat=info.flat,
        ocr="\n".join(strip.ocr for strip in strips if strip.ocr),
    )


def _picture(item: Item) -> Picture:
    if not isinstance(item, Picture):
        raise TypeError(f"{type(item).__name__} is no picture")
    return item
