"""A picture file: a document of one picture, with the words that lie in it or beside it.

An animation is its first frame. A TIFF file of several pages is a picture for each page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from ingestion.captions import worded
from ingestion.document import Omission, ParsedDocument, Picture, one_line
from ingestion.picture import PictureInfo, inspect
from ingestion.readers._sidecar import SIDECAR_SUFFIXES, Sidecar, is_sidecar_size, read_sidecar
from rag.errors import PictureError, SourceError
from rag.pictures import open_pages, perceptual_hash

__all__ = ["SIDECAR_SUFFIXES", "is_sidecar_size", "linked", "read"]

MAX_PAGES: Final = 1000
"""Of a TIFF file."""


@dataclass(frozen=True)
class _Beside:
    """What all sidecars of a picture say together."""

    said: Sidecar
    broken: tuple[Omission, ...]


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is not a picture that decodes."""
    try:
        data = path.read_bytes()
        info = inspect(data)
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    except PictureError as exc:
        raise SourceError(f"{path}: {exc.given}", exc.allowed, exc.advice) from exc
    beside = _beside(path, root)
    said = beside.said
    picture = replace(worded(data, info, said.alt, said.caption, "sidecar"), name=path.name)
    if said.keywords:
        picture = replace(picture, keywords=said.keywords, caption_source=picture.caption_source or "sidecar")
    warnings, pictures = [*beside.broken], [picture]
    if info.frames > 1 and info.mime == "image/tiff":
        pictures = list(_pages(data, info, picture, warnings))
    if not pictures:
        raise SourceError(f"{path} has no page that can be decoded", advice="save it again or remove it")
    return ParsedDocument(
        *(path.stem, info.mime, tuple(pictures), _metadata(said, picture), tuple(warnings)),
        linked=linked(path, root),
    )


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The sidecars of a picture. A link out of `root` is none: what it leads to was not given to be read."""
    sides = (side for side in map(path.with_suffix, SIDECAR_SUFFIXES) if is_sidecar_size(side))
    return tuple(side for side in sides if side.resolve().is_relative_to(root))


def _metadata(said: Sidecar, picture: Picture) -> dict[str, Any]:
    return {**said.metadata, **({"keywords": list(picture.keywords)} if picture.keywords else {})}


def _pages(data: bytes, info: PictureInfo, whole: Picture, warnings: list[Omission]) -> Iterator[Picture]:
    """Each page as a picture of its own; the file's words belong to all of them."""
    for number, page in enumerate(open_pages(data), 1):
        if number > MAX_PAGES:
            warnings.append(Omission(f"pages {number} to {info.frames}", f"only {MAX_PAGES} pages are read"))
            return
        if isinstance(page, PictureError):
            warnings.append(Omission(f"page {number}", page.given))
            continue
        buffer = BytesIO()
        page.save(buffer, "PNG")
        yield replace(
            whole,
            data=buffer.getvalue(),
            width=page.width,
            height=page.height,
            page=number,
            phash=perceptual_hash(page),
            name=f"{whole.name}, page {number}",
        )


def _beside(path: Path, root: Path) -> _Beside:
    """The sidecars of a picture. Where two say the same thing, the JSON file is believed."""
    said, broken = Sidecar(), []
    for side in linked(path, root):
        try:
            more = read_sidecar(side)
        except (SourceError, ValueError) as exc:
            broken.append(Omission(f"sidecar {side.name}", one_line(str(exc))))
            continue
        said = Sidecar(
            said.caption or more.caption,
            said.alt or more.alt,
            said.keywords or more.keywords,
            {**more.metadata, **said.metadata},
        )
    return _Beside(said, tuple(broken))
