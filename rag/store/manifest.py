"""The collection's manifest: who made its vectors, and which fields its metadata has. Kept in the collection itself.

It is one reserved point without vectors, so no vector search can find it; scrolls and counts leave it out by its id.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from qdrant_client import models

from rag.errors import EncoderMismatch, InputError, StoreError
from rag.schema import Fingerprint
from rag.store.lexical import LexicalSettings

MANIFEST_ID: Final = str(uuid.uuid5(uuid.NAMESPACE_URL, "triptych:manifest"))
MANIFEST_KEY: Final = "triptych_manifest"
FORMAT: Final = 1


@dataclass(frozen=True)
class Manifest:
    """What a collection says about itself."""

    encoder: Fingerprint
    lexical: LexicalSettings = field(default_factory=LexicalSettings)
    created_at: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    fields: Mapping[str, str] = field(default_factory=dict)
    """The user's own metadata fields and the type of each."""
    statistics: Mapping[str, Any] = field(default_factory=dict)
    """Whatever other parts keep with the collection, as JSON."""
    format: int = FORMAT

    def to_point(self) -> models.PointStruct:
        """The manifest as the point that keeps it."""
        return models.PointStruct(id=MANIFEST_ID, vector={}, payload={MANIFEST_KEY: asdict(self)})

    def require(self, given: Fingerprint, where: str) -> None:
        """Raise EncoderMismatch unless vectors of `given` may be compared with the collection's.

        The name may differ: the same weights can be reached by an alias, a hub id or a folder.
        """
        own = self.encoder
        if (own.digest, own.dim, own.preprocessing) == (given.digest, given.dim, given.preprocessing):
            return
        ours, theirs = str(own), str(given)
        if ours == theirs:
            ours, theirs = f"{ours} with {own.preprocessing}", f"{theirs} with {given.preprocessing}"
        raise EncoderMismatch(
            f"encoder {theirs}",
            f"{where} was made by encoder {ours}",
            "use that encoder, or ingest into a new corpus",
        )

    def require_lexical(self, given: LexicalSettings, where: str) -> None:
        """Raise InputError unless words are cut and weighed as the collection's are."""
        if given != self.lexical:
            raise InputError(
                f"{given}", f"{where} was made with {self.lexical}", "use that language, or ingest into a new corpus"
            )


def manifest_of(payload: Mapping[str, Any] | None, where: str) -> Manifest:
    """The manifest a point's payload holds. Raises StoreError where it is of another format."""
    kept = (payload or {}).get(MANIFEST_KEY) or {}
    if kept.get("format") != FORMAT:
        raise StoreError(
            f"{where} has a manifest of format {kept.get('format')}",
            f"format {FORMAT}",
            "open it with the version of triptych that made it, or ingest anew",
        )
    return Manifest(
        encoder=Fingerprint(**kept["encoder"]),
        lexical=LexicalSettings(**kept["lexical"]),
        created_at=kept["created_at"],
        fields=dict(kept.get("fields") or {}),
        statistics=dict(kept.get("statistics") or {}),
    )
