"""Reading one file, whole: what belongs to it, the digest of it all, and the document if it is new.

Nothing here knows the encoder or the store, so that a worker process imports no more than the readers need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestion.document import ParsedDocument
from ingestion.ocr import switched
from ingestion.readers import linked_files, read
from ingestion.remote import Fetch, asked
from rag.errors import SourceError

__all__ = ["Job", "Reading", "carry_out"]

ATTEMPTS: Final = 3
"""How often a file that changes while it is read is read again."""

_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class Job:
    """A file to read."""

    path: Path
    root: Path
    """The folder that bounds what it may link to."""
    settings: str
    """What decides the outcome beside the bytes; part of the revision."""
    stored: str | None = None
    """The revision that the store holds whole; a file that still has it is not parsed."""
    ocr: bool = False
    """Whether the words in pictures are read."""
    fetch: bool = False
    """Whether pictures that it shows from the web are fetched."""
    url: str = ""
    """Its own address, where it came from the web."""


@dataclass(frozen=True)
class Reading:
    """What became of a job: a document, or an error, or neither where the stored revision is still the file's."""

    revision: str = ""
    """sha256 (hex) over the settings and over the very bytes that were parsed."""
    links: tuple[Path, ...] = ()
    """Files beside it that belong to it."""
    document: ParsedDocument | None = None
    error: SourceError | None = None


def carry_out(job: Job, fetch: Fetch | None = None) -> Reading:
    """Read a file, its pictures on the web by `fetch`. The digest is taken before and after parsing: what differs is
    read again. A document one of whose pictures could not be had for now is of another revision than a whole one, so
    that the next run reads it anew.

    A file that cannot be read is a Reading with its error; MemoryError is raised.
    """
    links: tuple[Path, ...] = ()
    try:
        for _ in range(ATTEMPTS):
            links = linked_files(job.path, job.root)
            revision = _revision(job, links)
            if revision == job.stored:
                return Reading(revision, links)
            with switched(job.ocr), asked(fetch if job.fetch else None, job.url) as asker:
                document = read(job.path, job.root)
            if _revision(job, links) == revision:
                partly = asker is not None and asker.passing
                return Reading(_partly(revision) if partly else revision, links, document)
    except SourceError as exc:
        if isinstance(exc.__cause__, MemoryError):
            raise exc.__cause__ from None
        return Reading(links=links, error=exc)
    changing = SourceError(
        f"{job.path} changed while it was read, {ATTEMPTS} times", advice="run again when nothing writes to it"
    )
    return Reading(links=links, error=changing)


def _partly(revision: str) -> str:
    return hashlib.sha256(f"{revision}, but for pictures".encode()).hexdigest()


def _revision(job: Job, links: Sequence[Path]) -> str:
    """Raises SourceError where a file cannot be opened."""
    digest = hashlib.sha256(job.settings.encode())
    for path in (job.path, *links):
        try:
            content = _digest(path)
        except OSError as exc:
            raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
        digest.update(f"\n{path.name} {content}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
