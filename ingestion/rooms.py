"""Temporary folders that a killed run does not leave behind for good: the next run clears those whose owner is gone.

An owner is known by the lock that it holds on a file in its folder. The operating system ends the lock with the
process, however that ends, and tells all containers that share the folder the truth, which process ids do not.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ingestion.lock import exclusive
from rag.errors import InputError

__all__ = ["PREFIX", "cleared", "rooms"]

PREFIX: Final = "triptych-room-"
_OWNED: Final = "owned"
"""The file in each that its owner holds locked."""


@contextmanager
def rooms() -> Iterator[Callable[[], Path]]:
    """What makes empty folders, all of which are gone at the end. Raises InputError where none can be made."""
    try:
        house, descriptor = _owned()
    except OSError as exc:
        raise InputError(
            f"no temporary folder can be made ({exc.strerror or exc})",
            "a folder that can be written is needed for what is fetched or unpacked",
            "name one in TMPDIR",
        ) from exc
    numbers = itertools.count()

    def room() -> Path:
        folder = house / str(next(numbers))
        folder.mkdir()
        return folder

    try:
        yield room
    finally:
        os.close(descriptor)
        shutil.rmtree(house, ignore_errors=True)


def cleared() -> int:
    """Remove the folders of owners that are gone; how many there were."""
    count = 0
    with suppress(OSError):
        for house in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
            count += _clear(house)
    return count


def _owned() -> tuple[Path, int]:
    """A new folder and the lock on it. Where another run was quicker to take it for left behind, the next one."""
    while True:
        house = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        descriptor = os.open(house / _OWNED, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            exclusive(descriptor)
            os.stat(house / _OWNED)
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            continue
        except OSError:
            pass  # a file system without locks, where nobody else can hold one to clear it
        return house, descriptor


def _clear(house: Path) -> bool:
    """Remove one folder, if it is ours and nobody holds it. A folder without the file is one that is being made."""
    try:
        about = house.lstat()
        if not stat.S_ISDIR(about.st_mode) or (hasattr(os, "getuid") and about.st_uid != os.getuid()):
            return False
        descriptor = os.open(house / _OWNED, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        exclusive(descriptor)
        shutil.rmtree(house, ignore_errors=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    if house.exists():  # Windows keeps what is open
        shutil.rmtree(house, ignore_errors=True)
    return not house.exists()
