"""What ingestion needs of the encoder and of the store, and no more: anything with these methods will do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from llama_index.core.schema import BaseNode
from numpy.typing import NDArray


class Encoder(Protocol):
    """What is needed of rag.encoders.ClipEncoder."""

    @property
    def text_window(self) -> int:
        """Content tokens that fit one pass of the text tower."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of each content token."""

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dim) float32, unit rows."""

    def encode_images(self, images: Sequence[Any]) -> NDArray[np.float32]:
        """(n, dim) float32, unit rows. Raises PictureError for the whole batch."""


class SourceState(Protocol):
    """What the store holds of a source."""

    @property
    def revision(self) -> str | None:
        """The one revision of its points; None where there are several, as after an interrupted update."""

    @property
    def nodes(self) -> int:
        """Points that there are, of whatever revision."""

    @property
    def expected(self) -> int | None:
        """Points that there should be, as they say themselves; None where they disagree."""

    @property
    def pictures(self) -> Sequence[str]:
        """Where the file of each picture among the points lies; empty for one that has none."""


class Store(Protocol):
    """What is needed of rag.store.NamedVectorStore."""

    def sources(self) -> Mapping[str, Any]:
        """SourceState by source."""

    def points_of(self, source: str) -> Iterable[str]:
        """The ids of a source's points."""

    def get_nodes(self, node_ids: list[str], *, with_vectors: bool) -> Sequence[BaseNode]:
        """Nodes by id, in any order."""

    def add(self, nodes: Sequence[BaseNode]) -> list[str]:
        """Upsert nodes with their vectors."""

    def delete_ids(self, ids: list[str]) -> None:
        """Remove points."""

    def optimize(self) -> Any:
        """Make what was written quick to search."""
