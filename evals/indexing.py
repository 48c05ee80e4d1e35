"""The rows of a dataset as nodes of a corpus: the same row is the same point, so that a second run finds it there."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.schema import Dataset, Row, file_digest
from rag.corpus import Corpus
from rag.errors import InputError

if TYPE_CHECKING:
    from llama_index.core.schema import TextNode

__all__ = ["index", "row_id"]

_ROWS = uuid.UUID("5f0b7bb0-7d0c-5d58-8b6e-3a1f0a8f3c11")


def index(dataset: Dataset, corpus: Corpus, progress: Callable[[int, int], None] | None = None) -> None:
    """Store the rows that the corpus does not hold yet. Raises InputError where it holds another dataset's rows."""
    wanted = {row_id(row): row for row in dataset.rows}
    held = corpus.store.ids()
    strangers = held - set(wanted)
    if strangers:
        raise InputError(
            f"{corpus.name} holds {len(strangers)} nodes that are not rows of {dataset.name}, task {dataset.task.name}",
            advice="choose another folder with --corpus",
        )
    if missing := [_node(id_, row) for id_, row in wanted.items() if id_ not in held]:
        corpus.add_nodes(missing, progress)


def row_id(row: Row) -> str:
    """UUIDv5 of a row's id and of what is indexed of it: another task's row, or a changed one, is another point."""
    content = [row.modality, row.text, file_digest(row.image), dict(row.metadata)]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    return str(uuid.uuid5(_ROWS, f"{row.id}\0{digest}"))


def _node(id_: str, row: Row) -> TextNode:
    from llama_index.core.schema import ImageNode, TextNode

    metadata = {"source": row.id, "row": row.id, **row.metadata}
    hidden = sorted(metadata)
    common: dict[str, Any] = {
        "id_": id_,
        "text": row.text,
        "metadata": {**metadata, "caption": row.text} if row.image and row.text else metadata,
        "excluded_embed_metadata_keys": [*hidden, "caption"],
        "excluded_llm_metadata_keys": [*hidden, "caption"],
    }
    if row.image:
        return ImageNode(image_path=str(Path(row.image).resolve()), **common)
    return TextNode(**common)
