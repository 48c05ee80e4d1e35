"""Where a collection lives: a folder, a server, or memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rag.errors import InputError

if TYPE_CHECKING:
    from rag.encoders import ClipEncoder
    from rag.settings import Settings
    from rag.store import NamedVectorStore

__all__ = ["COLLECTION", "PICTURES", "Location"]

PICTURES: Final = "pictures"
"""The folder of the picture files, in the folder of the corpus."""
COLLECTION: Final = "qdrant"
"""The folder of the embedded engine, in the folder of the corpus."""


class Location:
    """Where a collection lives: a folder, a server, or memory."""

    def __init__(self, root: Path, url: str, collection: str, language: str = "") -> None:
        self.root, self.url, self.collection, self.language = root, url, collection, language
        self.name = f"{url}/{collection}" if url else str(root)
        self.flags = f"--qdrant {url} --collection {collection}" if url else f"--corpus {root}"

    def open(self, settings: Settings, encoder: ClipEncoder | None, *, create: bool) -> NamedVectorStore:
        """Open the collection; with `create` make it for the encoder where it is missing.

        A language that is given must be the collection's own: what was ingested is stemmed already.
        """
        if self.root.is_file():
            raise InputError(f"{self.root} is a file", "allowed: a folder", "name the folder of the corpus")
        from rag.store import LexicalSettings, NamedVectorStore

        return NamedVectorStore.open(
            path=None if self.url else self.root / COLLECTION,
            url=self.url or None,
            api_key=settings.qdrant_api_key.get_secret_value() or None,
            collection=self.collection,
            fingerprint=encoder.fingerprint if encoder else None,
            pictures_root=self.root / PICTURES,
            create=create,
            lexical=LexicalSettings(language=self.language) if self.language else None,
        )
