"""What a reader learns of the bytes of a picture: that they decode, what they show, what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rag.errors import PictureError
from rag.pictures import Opened, examine, perceptual_hash

MIMES: Final = {
    **{"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"},
    **{"TIFF": "image/tiff", "BMP": "image/bmp", "DIB": "image/bmp", "AVIF": "image/avif", "JPEG2000": "image/jp2"},
    **{"SVG": "image/svg+xml", "HEIF": "image/heic"},
}


@dataclass(frozen=True)
class PictureInfo:
    """A picture that decodes. Width and height in pixels, upright."""

    mime: str
    width: int
    height: int
    frames: int
    phash: str
    """What it looks like: `rag.pictures.perceptual_hash`."""
    flat: bool
    """Whether it is of a single colour."""
    info: Mapping[Any, Any] = field(default_factory=dict)
    exif: Mapping[int, Any] = field(default_factory=dict)
    """As in `rag.pictures.Opened`."""


def inspect(data: bytes) -> PictureInfo:
    """Decode `data` once and say what it is.

    Raises PictureError where the bytes are no picture, are damaged, or are larger than MAX_PIXELS.
    """
    if not data:
        raise PictureError("the picture is empty", advice="save it again or remove it")
    return described(examine(data))


def described(opened: Opened) -> PictureInfo:
    """What an opened picture is."""
    image = opened.image
    return PictureInfo(
        MIMES.get(opened.format, f"image/x-{(opened.format or 'unknown').lower()}"),
        *image.size,
        opened.frames,
        perceptual_hash(image),
        all(low == high for low, high in image.getextrema()),  # type: ignore[misc]  # RGB: a pair for each band
        opened.info,
        opened.exif,
    )
