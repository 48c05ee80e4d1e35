"""Which parts of a page are pictures: drawings that show something, images, strips of images, and their captions. Pure.

A drawing is a group of paths and shadings that touch. It is a figure where it is large enough and has slanted lines,
curves or shadings, or many filled boxes, and is not mostly covered by text: rules, frames, shaded rows and
underlines are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ingestion.readers._pdf_parts import Box, Drawing, Image, Piece, around, clusters
from ingestion.readers._pdf_text import CAPTION, Paragraph

CAPTION_REACH: Final = 90.0
"""Points below a picture within which its caption begins; half of it above and beside."""

_REACH: Final = 6.0
"""Points between drawings of one figure."""
_LEAST: Final = 36.0
"""Points. The shorter side of a figure at least."""
_LEAST_AREA: Final = 3600.0
_SHAPES: Final = 3
"""Paths with slanted lines or curves that a figure has at least, or this many filled boxes squared."""
_TEXTED: Final = 0.45
"""A drawing of which text covers more is a frame around text."""
_PAGE: Final = 0.9
"""A drawing as wide and as high as this share of the page is its background."""
_LABEL: Final = 60
"""Characters. Longer lines near a drawing are text, not labels."""
_LABEL_REACH: Final = 10.0
_EDGE: Final = 0.08
"""The share of the page's height, above and below, where running heads stand."""
_MARGIN: Final = 4.0
"""Points around a figure that are rendered with it."""


@dataclass(frozen=True)
class Figure:
    """A picture on the page. Where `image` is None its region is rendered."""

    box: Box
    image: Image | None = None
    images: tuple[Image, ...] = ()
    """The images that are rendered with it."""
    labels: frozenset[int] = field(default_factory=frozenset)
    """The numbers of the pieces of text that it shows."""
    strips: bool = False
    """Whether its images are strips of one picture."""


def figures(drawings: Sequence[Drawing], images: Sequence[Image], pieces: Sequence[Piece], page: Box) -> list[Figure]:
    """The pictures of a page, drawings with the images in them first.

    `drawings` and `pieces` are those that no table has taken.
    """
    shown = [one for one in drawings if not _background(one.box, page) and not _rule(one.box, page)]
    found = [
        figure
        for group in clusters([drawing.box for drawing in shown], page, _REACH)
        if (figure := _drawn([shown[number] for number in group], images, pieces, page))
    ]
    held = {id(image.handle) for figure in found for image in figure.images}
    for strip in _strips([image for image in images if id(image.handle) not in held]):
        if len(strip) > 1:
            found.append(Figure(around(image.box for image in strip), images=tuple(strip), strips=True))
        else:
            found.append(Figure(strip[0].box, strip[0]))
    return found


def _background(box: Box, page: Box) -> bool:
    return box.width >= _PAGE * page.width and box.height >= _PAGE * page.height


def _rule(box: Box, page: Box) -> bool:
    """Whether a drawing is a line across the page, as under its head."""
    return box.height < 3.0 and box.width > 0.5 * page.width


def _drawn(group: Sequence[Drawing], images: Sequence[Image], pieces: Sequence[Piece], page: Box) -> Figure | None:
    box = around(drawing.box for drawing in group)
    if min(box.width, box.height) < _LEAST or box.area < _LEAST_AREA or _background(box, page):
        return None
    shapes = sum(drawing.kind == "shape" for drawing in group)
    shadings = sum(drawing.kind == "shading" for drawing in group)
    filled = sum(drawing.kind == "ruled" and drawing.filled and not _thin(drawing.box) for drawing in group)
    within = [number for number, piece in enumerate(pieces) if piece.box.share_in(box) > 0.5]
    covered = sum(pieces[number].box.area for number in within) / box.area
    if covered > _TEXTED or (shapes < _SHAPES and not shadings and filled < _SHAPES**2):
        return None
    if any(len(pieces[number].text) > _LABEL for number in within) and covered > _TEXTED / 2:
        return None
    if _frame(group, box) or (shapes < _SHAPES and not shadings and covered > _TEXTED / 3):
        return None
    labels = set(within)
    for number, piece in enumerate(pieces):
        if number not in labels and _labels(piece, box, page):
            labels.add(number)
    whole = around([box, *(pieces[number].box for number in labels)])
    inside = tuple(image for image in images if image.box.share_in(whole.grown(_MARGIN)) > 0.8)
    if any(image.box.area > 0.5 * page.area for image in inside):
        inside = ()
    return Figure(whole.grown(_MARGIN).common(page), images=inside, labels=frozenset(labels))


def _frame(group: Sequence[Drawing], box: Box) -> bool:
    """Whether a drawing is a single frame or ground, with little on it."""
    outer = [drawing for drawing in group if drawing.box.area > 0.8 * box.area]
    inner = sum(drawing.box.area for drawing in group if drawing.box.area <= 0.8 * box.area)
    return bool(outer) and inner < 0.15 * box.area


def _thin(box: Box) -> bool:
    return min(box.width, box.height) < 3.0


def _labels(piece: Piece, box: Box, page: Box) -> bool:
    """Whether a piece of text near a drawing belongs to it: an axis, a tick, the name of a part. What stands in the
    page's margins does not."""
    if piece.box.bottom < _EDGE * page.height or piece.box.top > (1 - _EDGE) * page.height:
        return False
    near = piece.box.common(box.grown(_LABEL_REACH))
    if near.width <= 0 or near.height <= 0 or len(piece.text) > _LABEL or CAPTION.match(piece.text):
        return False
    return (
        piece.box.left >= box.left - 6 * _LABEL_REACH
        and piece.box.right <= box.right + 6 * _LABEL_REACH
        and (piece.box.width <= 0.8 * box.width or piece.turn != 0)
    )


def _strips(images: Sequence[Image]) -> list[list[Image]]:
    """Images, those together that follow each other without a gap and have the same width (or height): strips."""
    groups: list[list[Image]] = []
    for image in sorted(images, key=lambda image: (round(image.box.left), round(image.box.top))):
        for group in groups[-4:]:
            if _continues(group[-1].box, image.box):
                group.append(image)
                break
        else:
            groups.append([image])
    joined: list[list[Image]] = []
    for group in groups:
        flat = any(max(one.box.width, one.box.height) > 4 * min(one.box.width, one.box.height) for one in group)
        joined += [group] if len(group) > 2 or (len(group) > 1 and flat) else [[image] for image in group]
    return joined


def _continues(before: Box, box: Box) -> bool:
    """Whether a box goes on where another ends, with the same sides."""
    down = (box.left - before.left, box.right - before.right, box.top - before.bottom)
    along = (box.top - before.top, box.bottom - before.bottom, box.left - before.right)
    return any(all(abs(distance) < 1.0 for distance in distances) for distances in (down, along))


def caption_of(box: Box, paragraphs: Sequence[Paragraph]) -> int | None:
    """The number of the paragraph that is the caption of a picture: below it, else above, else beside; the nearest."""
    best: tuple[float, int] | None = None
    for number, paragraph in enumerate(paragraphs):
        if paragraph.kind == "caption" and (distance := _distance(box, paragraph.box)) is not None:
            best = min(best or (distance, number), (distance, number))
    return best[1] if best else None


def _distance(box: Box, caption: Box) -> float | None:
    """How far a caption is from a picture, what is above or beside counting more; None where it is too far."""
    across = min(box.right, caption.right) - max(box.left, caption.left)
    along = min(box.bottom, caption.bottom) - max(box.top, caption.top)
    half = CAPTION_REACH / 2
    if across > 0:
        below, above = caption.top - box.bottom, box.top - caption.bottom
        if -8.0 <= below <= CAPTION_REACH:
            return max(below, 0.0)
        if -8.0 <= above <= half:
            return half + max(above, 0.0)
        return half / 2 if caption.share_in(box) > 0.5 else None
    beside = max(caption.left - box.right, box.left - caption.right)
    return CAPTION_REACH + beside if along > 0 and beside <= half else None
