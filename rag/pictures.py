"""Pictures that nobody vouches for: opened safely, turned upright, made RGB. Pure; the one home of these rules."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from PIL import Image

from rag.errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DAMAGE", "MAX_PIXELS", "ImageInput", "known_formats", "open_picture"]

ImageInput: TypeAlias = str | Path | bytes | BytesIO | Image.Image

MAX_PIXELS: Final = 178_956_970
"""More pixels than this are refused as a decompression bomb (twice Pillow's own warning level; half a GB as RGB)."""

# No EPS (runs Ghostscript), no WMF, no PDF: formats whose decoding starts programs or stays undefined off Windows.
_FORMATS: Final = (
    *("PNG", "JPEG", "MPO", "GIF", "WEBP", "TIFF", "BMP", "DIB", "AVIF", "JPEG2000", "PPM"),
    *("TGA", "QOI", "ICO", "ICNS", "SGI", "DDS", "PSD", "PCX", "FLI"),
)

_ALLOWED: Final = "allowed: pictures that Pillow can open, such as PNG, JPEG, WebP, GIF, TIFF or BMP"

# What Pillow's decoders raise on damaged input: 20,000 mutated files of 16 formats let nothing else through.
DAMAGE: Final = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    struct.error,
    zlib.error,
)

_UPRIGHT: Final[Mapping[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@cache
def known_formats() -> tuple[str, ...]:
    """The formats that are opened, as far as this Pillow was built with them."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def open_picture(source: ImageInput) -> Image.Image:
    """The picture as upright 8-bit RGB, its first frame if it is animated; transparency is laid over white.

    Raises:
        PictureError: it is missing, not a picture, damaged, truncated, empty, or too large to be decoded safely.
    """
    label = _label(source)
    try:
        if isinstance(source, Image.Image):
            return _decode(source.copy(), label)
        opened = Image.open(
            BytesIO(source.getvalue() if isinstance(source, BytesIO) else source)
            if isinstance(source, bytes | BytesIO)
            else source,
            formats=known_formats(),
        )
        with opened:
            return _decode(opened, label)
    except FileNotFoundError as exc:
        raise PictureError(f"there is no picture at {label}", _ALLOWED, "check the path") from exc
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_large(label) from exc
    except DAMAGE as exc:
        reason = " ".join(str(exc).split()) or type(exc).__name__
        raise PictureError(
            f"{label} cannot be opened as a picture ({reason})", _ALLOWED, "check the file, or convert it to PNG"
        ) from exc


def _label(source: object) -> str:
    if isinstance(source, str | Path):
        return repr(str(source))
    if isinstance(source, bytes):
        return f"a picture of {len(source)} bytes"
    if isinstance(source, BytesIO):
        return f"a picture of {source.getbuffer().nbytes} bytes"
    if isinstance(source, Image.Image):
        return f"a picture object ({source.mode}, {source.width}×{source.height})"
    raise PictureError(
        f"a {type(source).__name__} was given as a picture", "a path, bytes, BytesIO or PIL.Image", "convert it first"
    )


def _too_large(label: str) -> PictureError:
    return PictureError(
        f"{label} has too many pixels to be decoded safely", f"at most {MAX_PIXELS:,}", "scale it down first"
    )


def _decode(image: Image.Image, label: str) -> Image.Image:
    """An upright RGB copy of an opened picture."""
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(label)
    if not image.width or not image.height:
        raise PictureError(f"{label} has no pixels", "at least 1×1", "leave it out")
    image.load()
    return _rgb(_upright(image))


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(0x0112, 1)
    except DAMAGE:
        # Damaged EXIF beside sound pixels is common, and every viewer shows such a picture as it lies.
        return image
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode Pillow knows."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _from_gray(image)
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        straight = image.convert("LA") if image.mode == "La" else image
        layer = straight.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _from_gray(image: Image.Image) -> Image.Image:
    """From gray values beyond 8 bits. NumPy is imported here: a reader process, which starts often, seldom needs it."""
    import numpy as np

    values = np.asarray(image, dtype=np.float64)
    return _gray(values / 257 if image.mode.startswith("I;16") else _to_8_bit(values, whole=image.mode == "I"))


def _gray(values: NDArray[np.float64]) -> Image.Image:
    import numpy as np

    rounded = np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8)
    return Image.fromarray(rounded).convert("RGB")


def _to_8_bit(values: NDArray[np.float64], whole: bool) -> NDArray[np.float64]:
    """Scale by the range that the values say they have: 0–1 (floats), 8 bit, 16 bit, or else from lowest to highest."""
    import numpy as np

    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low >= 0 and high <= 1 and not whole:
        return values * 255
    if low >= 0 and high <= 255:
        return values
    if low >= 0 and high <= 65535:
        return values / 257
    return (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    if converted is None:
        raise ValueError("the colours could not be converted from LAB")
    return converted
