"""What an ingestion did, as frozen data; and what it tells while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rag.errors import TriptychError

Outcome: TypeAlias = Literal["added", "updated", "unchanged", "removed", "skipped", "failed"]


@dataclass(frozen=True)
class ProgressEvent:
    """One file is dealt with: the `done`-th of `total`. Removals come on top, and raise the total."""

    done: int
    total: int
    source: str
    outcome: Outcome
    nodes: int = 0
    """Passages and pictures of all sources that are good until now."""


@dataclass(frozen=True)
class Failure:
    """A source that could not be read. What the store held of it before, it still holds."""

    source: str
    error: str
    """The class name of the error, one of rag.errors."""
    message: str

    @classmethod
    def of(cls, source: str, error: TriptychError) -> Failure:
        """The failure that `error` stands for."""
        return cls(source, type(error).__name__, str(error))

    def __str__(self) -> str:
        """One line that names the source once."""
        source, message = " ".join(self.source.split()), " ".join(self.message.split())
        return message if source in message else f"{source}: {message}"

    def to_json(self) -> dict[str, str]:
        """The failure as the command line prints it."""
        return {"source": self.source, "error": self.error, "message": self.message}


@dataclass(frozen=True)
class Skip:
    """A file that is no source, and why: nothing reads it, or it is part of another."""

    source: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """The skip as the command line prints it."""
        return {"source": self.source, "reason": self.reason}


@dataclass(frozen=True)
class Notice:
    """A part of a source that could not be kept. Only sources read in this run have notices."""

    source: str
    what: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """The notice as the command line prints it."""
        return {"source": self.source, "what": self.what, "reason": self.reason}


@dataclass(frozen=True)
class SourceCounts:
    """How many sources ended how. Together they are all files that were found, and those that were removed."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was written or removed."""
        return bool(self.added or self.updated or self.removed)

    def to_json(self) -> dict[str, int]:
        """The counts as the command line prints them."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "skipped": self.skipped,
            "failed": self.failed,
        }


@dataclass(frozen=True)
class IngestReport:
    """The outcome of one ingestion. `corpus` and `encoder` are names that the caller fills in."""

    sources: SourceCounts
    texts: int
    """Passages of all sources that are good after this run: added, updated and unchanged ones."""
    images: int
    """Pictures of the same sources."""
    failures: tuple[Failure, ...] = ()
    skips: tuple[Skip, ...] = ()
    parts: tuple[Skip, ...] = ()
    """Files that are part of a source: pictures that a document shows, captions beside pictures. Not counted."""
    warnings: tuple[Notice, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Pictures that show nothing, by the rule that says so, over the sources read in this run."""
    seconds: float = 0.0
    corpus: str = ""
    encoder: str = ""
    removed: tuple[str, ...] = field(default=())
    """The sources that were removed because their files are gone."""
    waited: float = 0.0
    """Seconds of `seconds` in which the encoder had nothing to do: it waited for documents, or for the store."""
    stopped: str = ""
    """Why the run ended before its end; empty where it did not."""

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it."""
        return {
            "corpus": self.corpus,
            "encoder": self.encoder,
            "sources": self.sources.to_json(),
            "nodes": {"text": self.texts, "image": self.images},
            "failures": [failure.to_json() for failure in self.failures],
            "skipped": [skip.to_json() for skip in self.skips],
            "parts": [part.to_json() for part in self.parts],
            "warnings": [notice.to_json() for notice in self.warnings],
            "left_out": dict(self.left_out),
            "removed": list(self.removed),
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
        }
