"""Pictures: opened safely, turned upright, made RGB, and brought to the tensor an image tower expects. All pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rag.errors import PictureError

__all__ = ["CLIP", "MAX_PIXELS", "ImageInput", "PixelRecipe", "open_picture", "to_pixels"]

ImageInput: TypeAlias = str | Path | bytes | BytesIO | Image.Image

MAX_PIXELS: Final = 178_956_970
"""More pixels than this are refused as a decompression bomb (twice Pillow's own warning level; half a GB as RGB)."""

_LONG_SIDE_LIMIT: Final = 16
"""Above this aspect ratio the part that survives the crop is resized directly, so that memory stays bounded."""

_ALLOWED: Final = "a picture that Pillow can open, such as PNG, JPEG, WebP, GIF, TIFF or BMP"

# What Pillow's decoders raise on damaged input: 20,000 mutated files of 16 formats let nothing else through.
_DAMAGE: Final = (
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

Resize: TypeAlias = Literal["crop", "pad", "squash"]
Interpolation: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True)
class PixelRecipe:
    """How an image tower wants its pixels. The tensor is (3, size, size) float32, channels R, G, B.

    `crop` scales the short side to `short_side` (the long side truncated) and cuts the centre out; `squash` scales
    both sides to `size`; `pad` scales the long side to `size` and centres the picture on `background`.
    """

    size: int
    """Pixels of each side of the tensor."""
    resize: Resize = "crop"
    interpolation: Interpolation = "bicubic"
    background: tuple[int, int, int] = (255, 255, 255)
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    short_side: int = 0
    """Pixels of the short side before `crop` cuts; 0 means `size`."""
    crop_offset: Literal["floor", "round"] = "round"
    """Half a pixel at the crop's edge: rounded to even as in torchvision, or cut off as in transformers' PIL code."""
    scale: float = 1 / 255
    """What the 8-bit values are multiplied by before `mean` and `std`."""

    def describe(self) -> str:
        """A canonical line for the fingerprint."""
        parts = [self.resize, str(self.size), self.interpolation]
        if self.resize == "crop":
            parts += [f"short side {self.short_side or self.size}", self.crop_offset]
        if self.resize == "pad":
            parts.append(f"background {','.join(map(str, self.background))}")
        mean, std = (",".join(f"{value:.6g}" for value in values) for values in (self.mean, self.std))
        return f"{' '.join(parts)} mean {mean} std {std} scale {self.scale:.6g}"


CLIP: Final = PixelRecipe(224)
"""OpenAI's own: PIL bicubic, then torchvision's Resize and CenterCrop (github.com/openai/CLIP, clip/clip.py)."""


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
            else source
        )
        with opened:
            return _decode(opened, label)
    except FileNotFoundError as exc:
        raise PictureError(f"there is no picture at {label}", _ALLOWED, "check the path") from exc
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_large(label) from exc
    except _DAMAGE as exc:
        reason = " ".join(str(exc).split()) or type(exc).__name__
        raise PictureError(f"{label} cannot be opened as a picture ({reason})", _ALLOWED, "check the file") from exc


def to_pixels(picture: Image.Image, recipe: PixelRecipe) -> NDArray[np.float32]:
    """The tensor of an RGB picture: (3, size, size) float32."""
    pixels = np.asarray(_RESIZERS[recipe.resize](picture, recipe), dtype=np.float32)
    mean, std = np.asarray(recipe.mean, dtype=np.float32), np.asarray(recipe.std, dtype=np.float32)
    normalized = (pixels * np.float32(recipe.scale) - mean) / std
    return np.ascontiguousarray(normalized.transpose(2, 0, 1), dtype=np.float32)


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
    except _DAMAGE:
        # Damaged EXIF beside sound pixels is common, and every viewer shows such a picture as it lies.
        return image
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode Pillow knows."""
    if image.mode.startswith("I;16"):
        return _gray(np.asarray(image, dtype=np.float64) / 257)
    if image.mode in ("I", "F"):
        return _gray(_to_8_bit(np.asarray(image, dtype=np.float64), whole=image.mode == "I"))
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        straight = image.convert("LA") if image.mode == "La" else image
        layer = straight.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _gray(values: NDArray[np.float64]) -> Image.Image:
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


def _filter(recipe: PixelRecipe) -> Image.Resampling:
    return Image.Resampling[recipe.interpolation.upper()]


def _squash(picture: Image.Image, recipe: PixelRecipe) -> Image.Image:
    return picture.resize((recipe.size, recipe.size), _filter(recipe))


def _pad(picture: Image.Image, recipe: PixelRecipe) -> Image.Image:
    longest = max(picture.size)
    width, height = (max(1, round(side * recipe.size / longest)) for side in picture.size)
    canvas = Image.new("RGB", (recipe.size, recipe.size), recipe.background)
    canvas.paste(
        picture.resize((width, height), _filter(recipe)), ((recipe.size - width) // 2, (recipe.size - height) // 2)
    )
    return canvas


def _crop(picture: Image.Image, recipe: PixelRecipe) -> Image.Image:
    short = recipe.short_side or recipe.size
    shortest, longest = min(picture.size), max(picture.size)
    width, height = (short if side == shortest else int(short * longest / shortest) for side in picture.size)
    left, top = _offset(width - recipe.size, recipe), _offset(height - recipe.size, recipe)
    if longest > shortest * _LONG_SIDE_LIMIT:
        across, down = picture.width / width, picture.height / height
        box = (left * across, top * down, (left + recipe.size) * across, (top + recipe.size) * down)
        return picture.resize((recipe.size, recipe.size), _filter(recipe), box=box)
    resized = picture.resize((width, height), _filter(recipe))
    return resized.crop((left, top, left + recipe.size, top + recipe.size))


def _offset(surplus: int, recipe: PixelRecipe) -> int:
    return round(surplus / 2) if recipe.crop_offset == "round" else surplus // 2


_RESIZERS: Final = {"crop": _crop, "pad": _pad, "squash": _squash}
