"""The pixels of a PDF's pictures: an image as its file has it where that is what the page shows, rendered else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image as Pillow
from pypdfium2 import PdfBitmap, PdfImage, PdfiumError, PdfMatrix, raw

from ingestion.readers._pdf_parts import Box, Image
from rag.errors import PictureError
from rag.pictures import DAMAGE, MAX_PIXELS

MAX_RENDERED: Final = 3000
"""Pixels of the longer side of a rendered region."""
_DRAWN: Final = 200 / 72
"""Pixels a point of drawings: 200 dpi."""
SCANNED: Final = 200 / 72
"""Pixels a point of pages whose words are to be read; OCR scales larger ones down."""
_HIGH: Final = 400 / 72
_LYING: Final = {
    (1, -1): None,
    (-1, -1): Pillow.Transpose.FLIP_LEFT_RIGHT,
    (1, 1): Pillow.Transpose.FLIP_TOP_BOTTOM,
    (-1, 1): Pillow.Transpose.ROTATE_180,
}
_STANDING: Final = {
    (1, 1): Pillow.Transpose.ROTATE_270,
    (-1, -1): Pillow.Transpose.ROTATE_90,
    (1, -1): Pillow.Transpose.TRANSPOSE,
    (-1, 1): Pillow.Transpose.TRANSVERSE,
}
"""What makes an image lie as on the page, by the signs of its axes."""


class Blank(Exception):
    """There is nothing to see on a picture. Its argument says why."""


def region(page: Any, box: Box, scale: float = _DRAWN, most: int = MAX_RENDERED) -> Any:
    """A part of the displayed page as RGB. `scale`: pixels a point, lowered where the region would exceed `most`."""
    width, height = page.get_size()
    scale = min(scale, most / max(box.width, box.height, 1.0))
    columns, rows = max(math.ceil(box.width * scale), 1), max(math.ceil(box.height * scale), 1)
    bitmap = PdfBitmap.new_native(columns, rows, raw.FPDFBitmap_BGR)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, columns, rows)
    place = (-round(box.left * scale), -round(box.top * scale), math.ceil(width * scale), math.ceil(height * scale))
    raw.FPDF_RenderPageBitmap(bitmap, page, *place, 0, raw.FPDF_ANNOT)
    return bitmap.to_pil()


def drawn(page: Any, box: Box, images: Sequence[Image]) -> bytes:
    """A region as PNG, as fine as its finest image. Raises Blank where it is of one colour."""
    picture = region(page, box, max([_DRAWN, *(min(_fineness(page, image), _HIGH) for image in images)]))
    if _flat(picture):
        raise Blank("of a single colour")
    return _png(picture)


def _fineness(page: Any, image: Image) -> float:
    """Pixels a point."""
    return max(size(page, image)) / max(image.box.width, image.box.height, 1.0)


def size(page: Any, image: Image) -> tuple[int, int]:
    """Pixels of an image as it lies in the file."""
    width, height = _helper(page, image).get_px_size()
    return int(width), int(height)


def picture(page: Any, image: Image) -> bytes:
    """An image as a file: the JPEG of the file where the page shows just that, PNG else.

    Masks are applied; what is turned, mirrored or in the colours of print is as the page shows it.

    Raises Blank where there is nothing to see, PictureError where there are too many pixels to be decoded safely,
    PdfiumError or one of DAMAGE where the data are damaged.
    """
    helper = _helper(page, image)
    width, height = helper.get_px_size()
    if width * height > MAX_PIXELS:
        raise PictureError(f"{width}×{height} pixels", f"at most {MAX_PIXELS:,} are allowed", "scale it down")
    if _is_stencil(helper) and image.box.area < 0.5 * Box(0, 0, *page.get_size()).area:
        raise Blank("pure masks")
    turn, slanted = _turn(image)
    if slanted:
        return drawn(page, image.box, [image])
    if turn is None and (jpeg := _jpeg(helper)) and not _masked(helper):
        return jpeg
    shown = _upright(helper, width, height)
    if turn is not None:
        shown = shown.transpose(turn)
    paper = _on_white(shown)
    if paper is not shown and _flat(paper):
        return drawn(page, image.box, [image])  # light on dark: it shows on what lies behind it
    return _png(paper)


def _turn(image: Image) -> tuple[Pillow.Transpose | None, bool]:
    """How the pixels of the file must be turned to lie as on the page, and whether quarters do not suffice."""
    a, b, c, d = image.axes
    if abs(b) + abs(c) <= 0.02 * (abs(a) + abs(d)):
        return _LYING[1 if a > 0 else -1, 1 if d > 0 else -1], False
    if abs(a) + abs(d) <= 0.02 * (abs(b) + abs(c)):
        return _STANDING[1 if b > 0 else -1, 1 if c > 0 else -1], False
    return None, True


def _upright(helper: Any, width: int, height: int) -> Any:
    """The pixels as they lie in the file, with the mask applied."""
    kept = helper.get_matrix()
    helper.set_matrix(PdfMatrix(width, 0, 0, height, 0, 0))
    try:
        return helper.get_bitmap(render=True, scale_to_original=False).to_pil()
    except PdfiumError:
        return helper.get_bitmap().to_pil()
    finally:
        helper.set_matrix(kept)


def _helper(page: Any, image: Image) -> Any:
    return PdfImage(image.handle, page=page, pdf=page.pdf)


def _jpeg(helper: Any) -> bytes | None:
    """The JPEG file of an image in gray or RGB; None for others, which decoders show in other colours than the page."""
    if helper.get_filters(skip_simple=True) != ["DCTDecode"]:
        return None
    data = bytes(helper.get_data(decode_simple=True))
    try:
        with Pillow.open(BytesIO(data), formats=["JPEG"]) as opened:
            return data if opened.mode in ("L", "RGB") else None
    except DAMAGE:
        return None


def _masked(helper: Any) -> bool:
    """Whether a mask hides parts of an image: told by the alpha of a thumbnail."""
    width, height = helper.get_px_size()
    scale = 64 / max(width, height)
    thumbnail = _upright(helper, max(round(width * scale), 1), max(round(height * scale), 1))
    if "A" not in thumbnail.getbands():
        return False
    alpha = np.asarray(thumbnail.getchannel("A"))[1:-1, 1:-1]
    return bool(alpha.size) and int(alpha.min()) < 250


def _is_stencil(helper: Any) -> bool:
    meta = helper.get_metadata()
    return bool(meta.bits_per_pixel == 1 and meta.colorspace == raw.FPDF_COLORSPACE_UNKNOWN)


def _on_white(shown: Any) -> Any:
    """A picture laid on white paper."""
    if "A" not in shown.getbands():
        return shown
    paper = Pillow.new("RGBA", shown.size, "white")
    return Pillow.alpha_composite(paper, shown.convert("RGBA")).convert("RGB")


def _flat(picture: Any) -> bool:
    extrema = picture.getextrema()
    return all(low == high for low, high in (extrema if isinstance(extrema[0], tuple) else [extrema]))


def _png(picture: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
