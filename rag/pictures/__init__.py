"""Pictures that nobody vouches for: opened safely, turned upright, made RGB, and compared. The rules' one home."""

from rag.pictures.hashing import NEAR_BITS, hash_distance, perceptual_hash
from rag.pictures.opening import (
    DAMAGE,
    MAX_PIXELS,
    ImageInput,
    Opened,
    examine,
    known_formats,
    open_pages,
    open_picture,
)

__all__ = [
    "DAMAGE",
    "MAX_PIXELS",
    "NEAR_BITS",
    "ImageInput",
    "Opened",
    "examine",
    "hash_distance",
    "known_formats",
    "open_pages",
    "open_picture",
    "perceptual_hash",
]
