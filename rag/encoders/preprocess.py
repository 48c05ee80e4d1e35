"""Pictures brought to the tensor that an image tower expects. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["CLIP", "PixelRecipe", "to_pixels"]

_LONG_SIDE_LIMIT: Final = 16
"""Above this aspect ratio the part that survives the crop is resized directly, so that memory stays bounded."""

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


def to_pixels(picture: Image.Image, recipe: PixelRecipe) -> NDArray[np.float32]:
    """The tensor of an RGB picture: (3, size, size) float32."""
    pixels = np.asarray(_RESIZERS[recipe.resize](picture, recipe), dtype=np.float32)
    mean, std = np.asarray(recipe.mean, dtype=np.float32), np.asarray(recipe.std, dtype=np.float32)
    normalized = (pixels * np.float32(recipe.scale) - mean) / std
    return np.ascontiguousarray(normalized.transpose(2, 0, 1), dtype=np.float32)


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
