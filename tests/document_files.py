"""Small files for the tests of the readers, and what a reader made of them in one line for each item."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from PIL import Image

from ingestion.document import Block, ParsedDocument


def png(colour: str = "red", size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    """A picture of one colour with a white dot: of a single colour it would show nothing, and be left out."""
    buffer, picture = BytesIO(), Image.new("RGB", size, colour)
    picture.paste("white", (0, 0, 4, 4))
    picture.save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def rezipped(path: Path, changed: Mapping[str, str | bytes]) -> Path:
    """The same package with some parts replaced or added."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped(path, {**members, **changed})


def spoilt(path: Path, *names: str) -> Path:
    """The same package with a byte of each of these parts turned over."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for info in map(archive.getinfo, names):
            start = info.header_offset + 30 + sum(data[info.header_offset + at] for at in (26, 28))
            data[start + info.compress_size // 2] ^= 0xFF
    path.write_bytes(data)
    return path


def shown(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(item.kind, item.text) if isinstance(item, Block) else ("PICTURE", item.words) for item in document.items]


def told(document: ParsedDocument) -> str:
    return "\n".join(map(str, document.warnings))
