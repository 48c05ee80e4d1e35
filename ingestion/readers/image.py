"""A picture file: a document of one picture, with the words that lie in it or beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Final

from ingestion.document import CaptionSource, Omission, ParsedDocument, Picture, one_line
from ingestion.picture import PictureInfo, inspect
from ingestion.readers.text import load_text
from rag.errors import PictureError, SourceError

SIDECAR_SUFFIXES: Final = (".txt", ".json")
MAX_SIDECAR_BYTES: Final = 4096
"""A longer text beside a picture of the same name is a document of its own, not a caption."""

_CAPTION_KEYS: Final = ("caption", "description", "text", "title")
# What cameras write by themselves says nothing about the picture.
_CAMERA_WORDS: Final = ("digital camera", "sony dsc", "dcim", "samsung", "minolta", "exif_jpeg", "default")


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is not a picture that decodes."""
    try:
        data = path.read_bytes()
        info = inspect(data)
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    except PictureError as exc:
        raise SourceError(f"{path}: {exc.given}", exc.allowed, exc.advice) from exc
    warnings: list[Omission] = []
    caption, alt, source = _words(path, info, warnings)
    if info.frames > 1 and info.mime == "image/tiff":
        warnings.append(Omission(f"pages 2 to {info.frames}", "only the first page of a TIFF file is kept"))
    picture = Picture(data, info.mime, info.width, info.height, alt, caption, source, name=path.name)
    document = ParsedDocument(path.stem, info.mime, (picture,), warnings=tuple(warnings))
    return dataclasses.replace(document, linked=linked(path, root))


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The sidecar of a picture, if it has one."""
    return tuple(side for side in map(path.with_suffix, SIDECAR_SUFFIXES) if is_sidecar_size(side))[:1]


def is_sidecar_size(path: Path) -> bool:
    """Whether `path` is a file short enough to be a caption."""
    try:
        return path.is_file() and path.stat().st_size <= MAX_SIDECAR_BYTES
    except OSError:
        return False


def _words(path: Path, info: PictureInfo, warnings: list[Omission]) -> tuple[str, str, CaptionSource]:
    """Caption, alt text and their source: the sidecar, else the picture's own description."""
    for side in linked(path, path.parent):
        try:
            caption, alt = _sidecar(side)
        except (SourceError, ValueError) as exc:
            warnings.append(Omission(f"sidecar {side.name}", one_line(str(exc))))
            continue
        if caption or alt:
            return caption, alt, "sidecar"
    described = one_line(info.description)
    if described and not any(word in described.lower() for word in _CAMERA_WORDS):
        return described, "", "exif"
    return "", "", ""


def _sidecar(path: Path) -> tuple[str, str]:
    """Caption and alt text of a sidecar. Raises SourceError or ValueError where it cannot be read."""
    text = load_text(path)
    if path.suffix != ".json":
        return one_line(text), ""
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError("a JSON object with the key caption is expected")
    caption = next((str(fields[key]) for key in _CAPTION_KEYS if fields.get(key)), "")
    return one_line(caption), one_line(str(fields.get("alt") or ""))
