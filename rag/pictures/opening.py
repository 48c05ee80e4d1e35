"""Opening pictures: which formats, how large, turned upright and made RGB. Pure."""

from __future__ import annotations

import ctypes
import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, _imaging

from rag.errors import PictureError
from rag.pictures.svg import is_svg, rasterized

__all__ = ["DAMAGE", "MAX_PIXELS", "ImageInput", "Opened", "examine", "known_formats", "open_pages", "open_picture"]

ImageInput: TypeAlias = str | Path | bytes | BytesIO | Image.Image

MAX_PIXELS: Final = 178_956_970
"""More pixels than this are refused as a decompression bomb (twice Pillow's own warning level; half a GB as RGB)."""

# No EPS (runs Ghostscript), no WMF, no PDF: formats whose decoding starts programs or stays undefined off Windows.
_FORMATS: Final = (
    *("PNG", "JPEG", "MPO", "GIF", "WEBP", "TIFF", "BMP", "DIB", "AVIF", "JPEG2000", "PPM"),
    *("TGA", "QOI", "ICO", "ICNS", "SGI", "DDS", "PSD", "PCX", "FLI"),
)
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

_EXIF_IFD: Final = 0x8769

_ALLOWED: Final = "allowed: pictures such as PNG, JPEG, WebP, AVIF, GIF, TIFF, BMP, SVG or HEIC"
_DEEP: Final = ("I", "F")
"""Modes of 32 bits a pixel, whose scaling needs several times their own memory."""

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
    _mute()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _mute() -> None:
    """Let Pillow and libtiff keep to themselves what they would print of damaged files: the error says it.

    libtiff writes to the process's stderr unless its handler is taken away (TIFFSetErrorHandler, libtiff's manual).
    Where it is linked statically, as on Windows, there is no such symbol to be found.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(AttributeError, OSError):
        handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        handler(None)


@dataclass(frozen=True)
class Opened:
    """A decoded picture, and what its file says about it."""

    image: Image.Image
    """Upright 8-bit RGB; the first frame of an animation, the first page of a TIFF file."""
    format: str
    """Pillow's name of the format, or SVG."""
    frames: int
    """Frames of an animation, pages of a TIFF file; 1 for all others."""
    info: Mapping[Any, Any]
    """What Pillow found beside the pixels: `xmp`, `photoshop`, `comment`, PNG texts."""
    exif: Mapping[int, Any]
    """EXIF or TIFF tags; empty where they are damaged."""


def open_picture(source: ImageInput) -> Image.Image:
    """The picture as upright 8-bit RGB, its first frame if it is animated; transparency is laid over white.

    Raises:
        PictureError: it is missing, not a picture, damaged, truncated, empty, or too large to be decoded safely; or it
            is a HEIC picture and the extra `[heic]` is not installed.
    """
    return examine(source).image


def examine(source: ImageInput) -> Opened:
    """`open_picture`, with what else the file says. Raises PictureError as it does."""
    label = _label(source)
    with _told(label), _quiet():
        if isinstance(source, Image.Image):
            return _opened(source.copy(), label)
        if isinstance(source, BytesIO):
            source = source.getvalue()
        with _recognized(source, label) as image:
            return _opened(image, label)


def open_pages(data: bytes) -> Iterator[Image.Image | PictureError]:
    """The pages of a TIFF file one after another, as `open_picture` gives them; the error in place of a damaged one.

    Raises PictureError where the file as a whole cannot be opened.
    """
    label = _label(data)
    with _told(label), _quiet():
        count = _frames(file := _recognized(data, label))
    for index in range(count):
        try:
            with _told(f"page {index + 1}"), _quiet():
                file.seek(index)
                yield _decode(file, f"page {index + 1}")
        except PictureError as exc:
            yield exc


@contextmanager
def _told(label: str) -> Iterator[None]:
    """Whatever a decoder raises becomes a PictureError of one line."""
    try:
        yield
    except FileNotFoundError as exc:
        raise PictureError(f"there is no picture at {label}", _ALLOWED, "check the path") from exc
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_large(label) from exc
    except DAMAGE as exc:
        reason = " ".join(str(exc).split()) or type(exc).__name__
        raise PictureError(
            f"{label} cannot be opened as a picture ({reason})", _ALLOWED, "check the file, or convert it to PNG"
        ) from exc


class _Quiet:
    """`warnings.catch_warnings` for several threads at once: the first to come silences, the last to go restores.

    Pillow warns about large pictures, damaged EXIF and odd palettes. All of that is either dealt with here or of no
    consequence, and the filters of the process are one global list.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._catcher = threading.Lock(), 0, warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._catcher = warnings.catch_warnings()
                self._catcher.__enter__()
                warnings.simplefilter("ignore")
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._catcher.__exit__(None, None, None)


_quiet: Final = _Quiet()


def _recognized(source: str | Path | bytes, label: str) -> Image.Image:
    """The picture, not yet decoded, by Pillow or by what stands in for it where Pillow knows the format not."""
    try:
        return Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=known_formats())
    except UnidentifiedImageError as exc:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if is_svg(data):
            return rasterized(data, label)
        if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
            _learn_heif(label)
            return Image.open(BytesIO(data), formats=("HEIF",))
        reason = "not a picture of a known format" if data else "it is empty"
        raise PictureError(
            f"{label} cannot be opened ({reason})", _ALLOWED, "check the file, or convert it to PNG"
        ) from exc


def _learn_heif(label: str) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as exc:
        # Not MissingExtra: in a folder of pictures this one fails, not the run.
        raise PictureError(
            f"{label} is a HEIC picture, and the package that reads them is not installed",
            advice='pip install "triptych-rag[heic]"',
        ) from exc
    register_heif_opener(thumbnails=False)


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


def _opened(image: Image.Image, label: str) -> Opened:
    picture = _decode(image, label)
    return Opened(picture, image.format or "", _frames(image), dict(image.info), _exif(image))


def _decode(image: Image.Image, label: str) -> Image.Image:
    """An upright RGB copy of an opened picture."""
    if image.width * image.height > MAX_PIXELS // (4 if image.mode in _DEEP else 1):
        raise _too_large(label)
    if not image.width or not image.height:
        raise PictureError(f"{label} has no pixels", "at least 1×1", "leave it out")
    _load(image)
    return _rgb(_upright(image))


def _load(image: Image.Image) -> None:
    """Decode. Where a PNG is damaged behind its pixels, Pillow raises once, and has them all the second time."""
    try:
        image.load()
    except DAMAGE:
        if image.format != "PNG":
            raise
        image.load()


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except DAMAGE:
        return 1


def _exif(image: Image.Image) -> Mapping[int, Any]:
    # Damaged EXIF beside sound pixels is common, and every viewer shows such a picture as it lies.
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(_EXIF_IFD)}
    except DAMAGE:
        return {}


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(0x0112, 1)
    except DAMAGE:
        return image
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode Pillow knows."""
    if image.mode.startswith("I;16"):
        return _gray((np.asarray(image).astype(np.uint32) + 128) // 257)
    if image.mode in ("I", "F"):
        return _gray(_to_8_bit(np.asarray(image, dtype=np.float64), whole=image.mode == "I"))
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        straight = image.convert("LA") if image.mode == "La" else image
        layer = straight.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _gray(values: NDArray[Any]) -> Image.Image:
    rounded = np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8)
    return Image.fromarray(rounded).convert("RGB")


def _to_8_bit(values: NDArray[np.float64], whole: bool) -> NDArray[np.float64]:
    """Scale by the range that the values say they have: 0–1 (floats), 8 bit, 16 bit, or else from lowest to highest."""
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
