"""Pictures as files, named by what is in them: the store of vectors holds paths, never bytes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from ingestion.picture import inspect, opened
from rag.errors import PictureError, StoreError
from rag.pictures import DAMAGE

_WEB_SAFE: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


@dataclass(frozen=True)
class StoredPicture:
    """A picture on disk. `sha256` (hex) is of the bytes that came in; `width` and `height` in pixels, upright."""

    path: Path
    sha256: str
    mime: str
    """Of the stored file, which every browser and every vision model understands."""
    width: int
    height: int


class PictureStore:
    """A folder of pictures: `ab/abcdef….png`, where `abcdef…` is the sha256 of the bytes that came in.

    Storing twice changes nothing. A file appears complete or not at all. PNG, JPEG, GIF and WebP are kept byte for
    byte; other formats become PNG, still named by the bytes they came from, so that a newer encoder makes no second
    copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def put(self, data: bytes) -> StoredPicture:
        """Store a picture. Raises PictureError where it does not decode, StoreError where the folder cannot be
        written."""
        info = inspect(data)
        digest = hashlib.sha256(data).hexdigest()
        keep = info.mime in _WEB_SAFE
        path = (self.root / digest[:2] / f"{digest}{_WEB_SAFE.get(info.mime, '.png')}").absolute()
        if not path.exists():
            content = data if keep else _as_png(data)
            try:
                _write(path, content)
            except OSError as exc:
                raise StoreError(
                    f"the picture cannot be written to {path} ({exc.strerror or exc})",
                    advice="make room, or choose a folder that can be written",
                ) from exc
        return StoredPicture(path, digest, info.mime if keep else "image/png", info.width, info.height)


def _write(path: Path, content: bytes) -> None:
    """Write beside the goal and rename: a reader never sees half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _as_png(data: bytes) -> bytes:
    """The first frame as an upright PNG; what PNG cannot hold (CMYK, floats) becomes RGB or 16-bit gray."""
    buffer = BytesIO()
    with opened(data) as image:
        try:
            upright = _upright(image)
            _png_ready(upright).save(buffer, "PNG")
        except DAMAGE as exc:
            raise PictureError(f"the picture cannot be converted to PNG ({exc})", advice="save it as PNG") from exc
    return buffer.getvalue()


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; as stored where the EXIF is damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except DAMAGE:
        return image


def _png_ready(image: Image.Image) -> Image.Image:
    if image.mode in _PNG_MODES:
        return image
    if image.mode in ("I", "F", "I;16B", "I;16L", "I;16N"):
        return _gray(image)
    return image.convert("RGBA" if image.mode in ("PA", "RGBa", "La") else "RGB")


def _gray(image: Image.Image) -> Image.Image:
    """Gray values beyond 8 bits: as 16 bits where they fit, otherwise stretched over 8."""
    import numpy as np

    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, high = float(values.min()), float(values.max())
    if image.mode != "F" and low >= 0 and high <= 65535:
        return Image.fromarray(values.astype(np.uint16))
    span = (high - low) or 1.0
    return Image.fromarray(((values - low) / span * 255).round().astype(np.uint8))
