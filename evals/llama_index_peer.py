"""LlamaIndex's `MultiModalVectorStoreIndex` over the rows of a corpus, from the vectors that the corpus holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_index.core import StorageContext
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import ImageNode, MetadataMode, QueryBundle, TextNode
from llama_index.vector_stores.qdrant import QdrantVectorStore
from numpy.typing import NDArray

from rag.store.engines import open_engine

if TYPE_CHECKING:
    from rag.corpus import Corpus
    from rag.encoders import ClipEncoder

__all__ = ["LlamaIndexPeer"]

Vector = list[float]


class _Known(MultiModalEmbedding):
    """An encoder that looks up what it made before, so that no row and no question is encoded twice."""

    _encoder: Any = PrivateAttr()
    _texts: dict[str, Vector] = PrivateAttr(default_factory=dict)
    _images: dict[str, Vector] = PrivateAttr(default_factory=dict)

    def __init__(self, encoder: ClipEncoder) -> None:
        super().__init__(model_name=encoder.model_name, embed_batch_size=encoder.embed_batch_size)
        self._encoder = encoder

    def remember(self, text: str, vector: Any, image: str = "") -> None:
        """Keep the vector of a picture, or of a text."""
        (self._images if image else self._texts)[image or text] = [float(value) for value in vector]

    def _get_text_embedding(self, text: str) -> Vector:
        found = self._texts.get(text)
        return found if found is not None else list(self._encoder.get_text_embedding(text))

    def _get_query_embedding(self, query: str) -> Vector:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> Vector:
        return self._get_text_embedding(query)

    def _get_image_embedding(self, img_file_path: Any) -> Vector:
        found = self._images.get(str(img_file_path))
        return found if found is not None else list(self._encoder.get_image_embedding(img_file_path))

    async def _aget_image_embedding(self, img_file_path: Any) -> Vector:
        return self._get_image_embedding(img_file_path)


class LlamaIndexPeer:
    """The index as it is: a store of texts (captions among them), one of pictures, hits of both one after the other.

    Both stores are LlamaIndex's own Qdrant store, in memory, searched exactly. A picture that could not be opened takes
    part with its words alone, as in the corpus.
    """

    def __init__(self, corpus: Corpus, top_k: int = 10) -> None:
        self._known = _Known(corpus.encoder)
        nodes = [node for stored in corpus.store.get_nodes() if (node := self._plain(stored)) is not None]
        client = open_engine(url=":memory:").client
        stores = [QdrantVectorStore(name, client=client, index_doc_id=False) for name in ("texts", "pictures")]
        index = MultiModalVectorStoreIndex(
            nodes=nodes,
            storage_context=StorageContext.from_defaults(vector_store=stores[0]),
            image_vector_store=stores[1],
            embed_model=self._known,
            image_embed_model=self._known,
        )
        self._retriever = index.as_retriever(similarity_top_k=top_k, image_similarity_top_k=top_k)

    def retrieve(self, text: NDArray[np.float32] | None, image: Path | None = None) -> tuple[list[str], list[str]]:
        """Row ids from the store of texts and from that of pictures, best first.

        A question as a picture asks the store of pictures alone: LlamaIndex has no other way for it. Of a question with
        both, the words are asked.
        """
        if text is None:
            return [], _rows(self._retriever.image_to_image_retrieve(str(image)))
        question = "the question"
        self._known.remember(question, text)
        bundle = QueryBundle(question)
        return _rows(self._retriever.text_retrieve(bundle)), _rows(self._retriever.text_to_image_retrieve(bundle))

    def _plain(self, stored: Any) -> TextNode | ImageNode | None:
        """A node without vectors, which are remembered instead: LlamaIndex would put one vector into both stores."""
        row = {"row": stored.metadata["row"]}
        text = stored.get_content(MetadataMode.NONE)
        hidden: dict[str, Any] = {"excluded_embed_metadata_keys": ["row"], "excluded_llm_metadata_keys": ["row"]}
        if not isinstance(stored, ImageNode):
            if stored.embedding is not None:
                self._known.remember(text, stored.embedding)
            return TextNode(id_=stored.node_id, text=text, metadata=row, **hidden)
        if stored.text_embedding is not None:
            self._known.remember(text, stored.text_embedding)
        if stored.embedding is None:
            return TextNode(id_=stored.node_id, text=text, metadata=row, **hidden) if text else None
        if not text:  # the index skips nodes without any content; a visible key keeps the picture in
            hidden = {}
        path = str(stored.image_path)
        self._known.remember("", stored.embedding, path)
        return ImageNode(id_=stored.node_id, text=text, image_path=path, metadata=row, **hidden)


def _rows(hits: list[Any]) -> list[str]:
    return [str(hit.node.metadata["row"]) for hit in hits]
