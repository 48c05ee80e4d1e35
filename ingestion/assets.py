"""Pictures as files, named by what is in them: the store of vectors holds paths, never bytes."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePath
from typing import Final

from ingestion.captions import worded
from ingestion.document import Picture
from ingestion.picture import inspect
from rag.errors import StoreError
from rag.pictures import open_picture

_WEB_SAFE: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}
_PART: Final = ".part"
_PICTURE: Final = re.compile(r"[0-9a-f]{64}\.[a-z]+")
_UNKNOWN: Final = "?"
"""Stands for the collections of a folder that was made before collections said that they use it."""


@dataclass(frozen=True)
class StoredPicture:
    """A picture on disk. `sha256` (hex) is of the bytes that came in; `width` and `height` in pixels, upright."""

    path: Path
    sha256: str
    mime: str
    """Of the stored file, which every browser and every vision model understands."""
    width: int
    height: int
    phash: str
    """What it looks like: `rag.pictures.perceptual_hash`."""


class PictureStore:
    """A folder of pictures: `ab/abcdef….png`, where `abcdef…` is the sha256 of the bytes that came in.

    Storing twice changes nothing. A file appears complete or not at all. PNG, JPEG, GIF and WebP are kept byte for
    byte; other formats become PNG, still named by the bytes they came from, so that a newer encoder makes no second
    copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def put(self, picture: Picture | bytes) -> StoredPicture:
        """Store a picture; bytes are decoded first. Raises PictureError where they do not decode, StoreError where the
        folder cannot be written."""
        seen = picture if isinstance(picture, Picture) and picture.phash else _decoded(picture)
        digest = hashlib.sha256(seen.data).hexdigest()
        keep = seen.mime in _WEB_SAFE
        path = (self.root / digest[:2] / f"{digest}{_WEB_SAFE.get(seen.mime, '.png')}").absolute()
        if not path.exists():
            content = seen.data if keep else _as_png(seen.data)
            try:
                _write(path, content)
            except OSError as exc:
                raise StoreError(
                    f"the picture cannot be written to {path} ({exc.strerror or exc})",
                    advice="make room, or choose a folder that can be written",
                ) from exc
        return StoredPicture(path, digest, seen.mime if keep else "image/png", seen.width, seen.height, seen.phash)

    def claim(self, collection: str) -> None:
        """Write down that a collection refers to these pictures. Raises StoreError where that cannot be written."""
        names = self._claims()
        if collection in names:
            return
        before = [_UNKNOWN] if not names and self.root.is_dir() else sorted(names)
        try:
            self._ledger.parent.mkdir(parents=True, exist_ok=True)
            _write(self._ledger, "".join(f"{name}\n" for name in [*before, collection]).encode())
        except OSError as exc:
            raise StoreError(
                f"{self._ledger} cannot be written ({exc.strerror or exc})",
                advice="choose a folder that can be written",
            ) from exc

    def sweep(self, collection: str, used: Collection[str]) -> int:
        """Remove the pictures that `collection` no longer refers to, `used` being those to which it does; how many.

        Nothing is removed where another collection refers to pictures here, or one that did not say so. To be called
        while nobody stores pictures. A file that cannot be removed is left to the next time.
        """
        if self._claims() != {collection}:
            return 0
        kept, removed = {PurePath(path).name for path in used}, 0
        for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
            if path.name not in kept and (_PICTURE.fullmatch(path.name) or path.suffix == _PART):
                with suppress(OSError):
                    path.unlink()
                    removed += 1
        return removed

    @property
    def _ledger(self) -> Path:
        return self.root.with_name(f"{self.root.name}.collections")

    def _claims(self) -> set[str]:
        with suppress(OSError):
            return set(self._ledger.read_text("utf-8").splitlines())
        return set()


def _decoded(picture: Picture | bytes) -> Picture:
    data = picture.data if isinstance(picture, Picture) else picture
    return worded(data, inspect(data))


def _write(path: Path, content: bytes) -> None:
    """Write beside the goal and rename: a reader never sees half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=_PART)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _as_png(data: bytes) -> bytes:
    """Exactly what the encoder sees: the first frame, upright, 8-bit RGB, over white."""
    buffer = BytesIO()
    open_picture(data).save(buffer, "PNG")
    return buffer.getvalue()
