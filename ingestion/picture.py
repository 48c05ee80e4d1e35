"""Opening pictures that nobody vouches for: what Pillow decodes here is safe to store, encode and send."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, UnidentifiedImageError

from rag.errors import PictureError
from rag.pictures import DAMAGE, MAX_PIXELS, known_formats

MIMES: Final = {
    **{"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"},
    **{"TIFF": "image/tiff", "BMP": "image/bmp", "DIB": "image/bmp", "AVIF": "image/avif", "JPEG2000": "image/jp2"},
}

_TURNED: Final = frozenset({5, 6, 7, 8})
_ORIENTATION: Final = 0x0112


@dataclass(frozen=True)
class PictureInfo:
    """A picture that decodes. Width and height in pixels, upright."""

    mime: str
    width: int
    height: int
    frames: int
    description: str
    """EXIF ImageDescription or PNG text "Description"; empty where there is none."""


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """The first frame of `data`, fully decoded, upright or not as stored.

    Raises PictureError where the bytes are no picture, are damaged, or are larger than MAX_PIXELS.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(BytesIO(data), formats=known_formats())
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}×{image.height} pixels")
            image.load()
        except DAMAGE as exc:
            raise _picture_error(data, exc) from exc
        with image:
            yield image


def inspect(data: bytes) -> PictureInfo:
    """Decode `data` once and say what it is. Raises PictureError as `opened` does."""
    with opened(data) as image:
        width, height = image.size
        orientation, description = _exif(image)
        if orientation in _TURNED:
            width, height = height, width
        mime = MIMES.get(image.format or "", f"image/x-{(image.format or 'unknown').lower()}")
        return PictureInfo(mime, width, height, _frames(image), description)


def _exif(image: Image.Image) -> tuple[int, str]:
    """Orientation (1 where unknown) and description. Damaged EXIF does not make the picture unreadable."""
    text = image.info.get("Description") or image.info.get("Caption") or ""
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION, 1)
        described = exif.get(0x010E, "")
    except DAMAGE:
        return 1, str(text)
    if isinstance(described, bytes):
        described = described.decode("utf-8", "ignore")
    return (orientation if isinstance(orientation, int) else 1), str(text or described or "")


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except DAMAGE:
        return 1


def _picture_error(data: bytes, exc: BaseException) -> PictureError:
    if isinstance(exc, Image.DecompressionBombError):
        return PictureError(
            f"the picture is too large to decode ({exc})",
            f"at most {MAX_PIXELS} pixels are allowed",
            "scale it down",
        )
    if isinstance(exc, UnidentifiedImageError):
        kind = "SVG drawings" if b"<svg" in data[:2048].lower() else "data of this kind"
        return PictureError(
            f"{kind} cannot be opened as a picture" if data else "the picture is empty",
            "JPEG, PNG, GIF, WebP, TIFF, BMP and other raster formats are allowed",
            "convert it to PNG",
        )
    return PictureError(f"the picture is damaged ({type(exc).__name__}: {exc})", advice="save it again or remove it")
