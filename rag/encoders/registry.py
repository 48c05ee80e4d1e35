"""The encoders that Triptych knows by name, as a frozen table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["EncoderInfo", "describe", "find"]


@dataclass(frozen=True)
class EncoderInfo:
    """What one alias stands for."""

    name: str
    """The alias."""
    model: str
    """The Hugging Face id; for `bundled` the name of what ships."""
    backend: str
    dim: int
    """The dimension of the vectors of both towers."""
    window: int
    """Content tokens that the text tower takes in one pass."""
    extra: str
    """The extra of `triptych-rag` that it needs; empty for none."""
    summary: str
    licence: str


_TABLE: Final[tuple[EncoderInfo, ...]] = (
    EncoderInfo(
        "bundled",
        "bundled",
        "onnx",
        384,
        254,
        "",
        "MiniLM text tower and a small image tower trained against it on drawn pictures; ships with the package",
        "Apache-2.0",
    ),
    EncoderInfo(
        "clip", "openai/clip-vit-base-patch32", "torch", 512, 75, "clip", "OpenAI CLIP ViT-B/32, the quick one", "MIT"
    ),
    EncoderInfo(
        "clip-b16",
        "openai/clip-vit-base-patch16",
        "torch",
        512,
        75,
        "clip",
        "OpenAI CLIP ViT-B/16, finer patches",
        "MIT",
    ),
    EncoderInfo(
        "clip-large", "openai/clip-vit-large-patch14", "torch", 768, 75, "clip", "OpenAI CLIP ViT-L/14, the best", "MIT"
    ),
)

_HIDDEN: Final[tuple[EncoderInfo, ...]] = (
    EncoderInfo("fake", "fake", "fake", 64, 64, "", "Hashed words and colour words, for tests", "Apache-2.0"),
)

_BY_NAME: Final[Mapping[str, EncoderInfo]] = {info.name: info for info in (*_TABLE, *_HIDDEN)}


def describe() -> tuple[EncoderInfo, ...]:
    """The encoders that have an alias, the default first."""
    return _TABLE


def find(name: str) -> EncoderInfo | None:
    """The encoder behind an alias, or None."""
    return _BY_NAME.get(name)
