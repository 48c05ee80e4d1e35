"""Room on the disk, asked for before the embedded engine writes.

The engine maps its files, and a page of a mapped file for which there is no room is no error but a signal that ends the
process.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from rag.errors import StoreError

__all__ = ["RESERVE", "require_room", "size_on_disk"]

RESERVE: Final = 64 << 20
"""Bytes that must be free: a batch of points in the log and in every segment file that grows by it."""


def require_room(folder: Path, needed: int = RESERVE) -> None:
    """Raise StoreError where fewer than `needed` bytes are free on the disk of a folder that exists."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"the disk of {folder} has {free >> 20} MiB free",
            f"at least {-(-needed >> 20)} MiB are needed to write to the collection",
            "make room and run again; what was stored until now stays",
        )


def size_on_disk(folder: Path) -> int:
    """Bytes that the files below a folder take up, holes left out; 0 where the platform does not tell."""
    sizes = (os.lstat(file) for file in folder.rglob("*") if file.is_file())
    return sum(512 * getattr(found, "st_blocks", 0) for found in sizes)
