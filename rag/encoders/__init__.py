"""One encoder makes every vector of a collection: texts and pictures in, unit rows of one space out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.encoders.encoder import ClipEncoder, load_encoder
    from rag.encoders.registry import EncoderInfo, describe
    from rag.pictures import ImageInput, open_picture

_HOMES = {
    "ClipEncoder": "rag.encoders.encoder",
    "EncoderInfo": "rag.encoders.registry",
    "ImageInput": "rag.pictures",
    "describe": "rag.encoders.registry",
    "load_encoder": "rag.encoders.encoder",
    "open_picture": "rag.pictures",
}

__all__ = ["ClipEncoder", "EncoderInfo", "ImageInput", "describe", "load_encoder", "open_picture"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import rag.encoders` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rag.encoders' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
