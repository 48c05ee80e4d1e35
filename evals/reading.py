"""Reading files in a process that may die: one bad file costs itself, not the run."""

from __future__ import annotations

import multiprocessing
import os
import re
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from evals.words import document_text
from rag.errors import TriptychError

_JUNK: Final = re.compile(r"(\d+) pictures?")
"""How readers name pictures that a rule left out (`ingestion.readers._builder`)."""
_LOST: Final = "picture "
"""How they begin to name one that they could not keep."""


@dataclass(frozen=True)
class Kept:
    """What the readers keep of a file: its words, and how many pictures ended how (`evals.fidelity.Outcome`)."""

    text: str
    pictures: int
    junk: int
    lost: int


class Readers:
    """A process that reads files, replaced where it dies or takes too long. The text comes back, pictures do not."""

    def __init__(self, seconds: float, ocr: bool = False) -> None:
        self._seconds, self._ocr = seconds, ocr
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._ours: Connection[Any, Any] | None = None

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop()

    def read(self, path: Path, root: Path | None) -> Kept | str:
        """What the readers keep of a file, or why they do not."""
        if self._ours is None:
            self._ours, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs, self._ocr), daemon=True)
            self._process.start()
            theirs.close()
        try:
            self._ours.send((path, root))
            if self._ours.poll(self._seconds):
                kept: Kept | str = self._ours.recv()
                return kept
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._stop()
            return f"the reader's process ended with status {code}"
        self._stop()
        return f"not read within {self._seconds:g} seconds"

    def _stop(self) -> None:
        if self._ours is not None:
            self._ours.close()
            self._process.kill()
            self._process.join()
            self._ours = None


def _serve(pipe: Connection[Any, Any], ocr: bool) -> None:
    """Answer each path with what was kept of it or with the reason why nothing was, until the other end closes."""
    from ingestion.ocr import switched
    from ingestion.readers import read

    while True:
        try:
            path, root = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            os._exit(0)
        try:
            with switched(ocr):
                document = read(path, root)
        except TriptychError as exc:
            pipe.send(str(exc).replace(f"{path} ", "", 1))
            continue
        counts = [int(match[1]) for warning in document.warnings if (match := _JUNK.fullmatch(warning.what))]
        lost = sum(warning.what.startswith(_LOST) for warning in document.warnings)
        pipe.send(Kept(document_text(document), len(document.pictures), sum(counts), lost))
