"""`ClipEncoder`: one encoder for texts and pictures, as a LlamaIndex `MultiModalEmbedding`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageNode, ImageType
from PIL import Image

from rag.encoders.backend import Backend, Floats, unit_rows
from rag.encoders.loading import load_backend
from rag.encoders.windows import OVERLAP, cut, length_sorted, pool
from rag.encoders.wrapped import WrappedBackend
from rag.errors import EncoderError, InputError
from rag.pictures import ImageInput, open_picture
from rag.schema import Fingerprint

__all__ = ["ClipEncoder", "ImageInput", "load_encoder"]

_DECODERS = min(8, os.cpu_count() or 1)


class ClipEncoder(MultiModalEmbedding):
    """Texts and pictures in, unit rows of one space out.

    Every row has length 1 and is the same, to 1e-5, whatever the batch size, the order or the padding. A text longer
    than the window is read in overlapping windows and pooled (mean of the unit window vectors, weighted by token
    counts); nothing is cut off. A text without words has the vector of the empty text.

    Args:
        name: an alias (`triptych encoders` lists them), a Hugging Face id, or a folder.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        backend: `auto`, or the kind that must serve it: `onnx`, `torch`.
        precision: `auto` (fp32), `fp32`, `bf16`, `fp16`. Only fp32 keeps the 1e-5 above.
        embed_batch_size: windows or pictures in one pass.
        threads: threads of the ONNX runtime; 0 leaves it to the runtime.

    Raises:
        EncoderError: the name is unknown, the model is not on this machine, or it is broken.
        MissingExtra: the model needs torch and transformers.
    """

    name: str = Field(default="bundled", description="Alias, Hugging Face id or folder.")
    device: str = Field(default="auto", description="Where the arithmetic runs.")
    backend: str = Field(default="auto", description="The kind of backend.")
    precision: str = Field(default="auto", description="Precision of the arithmetic.")
    threads: int = Field(default=0, ge=0, description="Threads of the ONNX runtime; 0 leaves it to the runtime.")

    _loaded: Backend = PrivateAttr()
    _given: bool = PrivateAttr()
    _fingerprint: Fingerprint | None = PrivateAttr(default=None)

    def __init__(
        self,
        name: str | os.PathLike[str] | MultiModalEmbedding = "bundled",
        device: str = "auto",
        backend: str = "auto",
        precision: str = "auto",
        embed_batch_size: int = 32,
        *,
        threads: int = 0,
        loaded: Backend | None = None,
        **kwargs: Any,
    ) -> None:
        unknown = kwargs.keys() - type(self).model_fields.keys() - {"class_name"}
        if unknown:
            raise TypeError(f"ClipEncoder takes no {', '.join(sorted(unknown))}")
        if isinstance(name, MultiModalEmbedding):
            loaded = loaded or WrappedBackend(name)
            name = loaded.name
        if not isinstance(name, str | os.PathLike):
            raise EncoderError(
                f"a {type(name).__name__} was given as the encoder",
                "allowed: a name, a folder, or a LlamaIndex MultiModalEmbedding",
                "see `triptych encoders`",
            )
        chosen = loaded or load_backend(os.fspath(name), device, backend, precision, threads)
        fields: dict[str, Any] = {
            **kwargs,
            "name": os.fspath(name),
            "device": device,
            "backend": backend,
            "precision": precision,
            "embed_batch_size": embed_batch_size,
            "threads": threads,
            "model_name": chosen.name,
        }
        super().__init__(**fields)
        self._loaded, self._given = chosen, loaded is not None

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex serializes it."""
        return "ClipEncoder"

    @classmethod
    def over(cls, backend: Backend, embed_batch_size: int = 32) -> ClipEncoder:
        """An encoder over a backend of one's own."""
        return cls(backend.name, embed_batch_size=embed_batch_size, loaded=backend)

    @classmethod
    def wrap(
        cls,
        embedding: MultiModalEmbedding,
        name: str | None = None,
        *,
        window: int | None = None,
        embed_batch_size: int = 32,
    ) -> ClipEncoder:
        """LlamaIndex's `ClipEmbedding`, or any other, with our normalization, windows and batching around it.

        `name` enters the fingerprint. `window` is the number of words that the embedding surely takes at once; where
        it refuses a text all the same, the text is cut again.
        """
        return cls.over(WrappedBackend(embedding, name, window), embed_batch_size)

    def __getstate__(self) -> dict[str, Any]:
        """The fields, and the backend where it cannot be found again by name."""
        fields = {key: value for key, value in self.__dict__.items() if key not in ("callback_manager", "rate_limiter")}
        return {"fields": fields, "loaded": self._loaded if self._given else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["fields"], loaded=state["loaded"])  # type: ignore[misc]  # pydantic restores so too

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> ClipEncoder:
        """A copy that shares the model: weights never change."""
        return self.__copy__()

    @property
    def dim(self) -> int:
        """The dimension of every vector."""
        return self._loaded.dim

    @property
    def text_window(self) -> int:
        """How many content tokens, without specials, fit one pass of the text tower."""
        return self._loaded.window

    @property
    def fingerprint(self) -> Fingerprint:
        """What a collection remembers of its encoder. The weights are hashed when it is first asked for."""
        if self._fingerprint is None:
            pooling = f"windows of {self.text_window} tokens, overlap {self.text_window // OVERLAP}, weighted mean"
            self._fingerprint = Fingerprint(
                name=self._loaded.name,
                digest=self._loaded.digest(),
                dim=self.dim,
                preprocessing=f"{self._loaded.preprocessing}; {pooling}",
            )
        return self._fingerprint

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets (start, end) of the content tokens of a text, in order."""
        return [(start, end) for start, end in self._loaded.tokenize([_clean(text)])[0].spans]

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32, unit rows, in the order of the texts."""
        if isinstance(texts, str):
            raise InputError("one string was given", "a sequence of strings", "put it into a list")
        if not len(texts):
            return np.zeros((0, self.dim), dtype=np.float32)
        cleaned = [_clean(text) for text in texts]
        cuts = [
            cut(text, tokens, self.text_window)
            for text, tokens in zip(cleaned, self._loaded.tokenize(cleaned), strict=True)
        ]
        windows = [window for windows in cuts for window in windows]
        owners = [owner for owner, windows in enumerate(cuts) for _ in windows]
        lengths = [len(window.ids) for window in windows]
        vectors = np.empty((len(windows), self.dim), dtype=np.float32)
        for batch in length_sorted(lengths, self.embed_batch_size):
            raw = self._loaded.embed_texts([windows[index] for index in batch])
            vectors[batch] = unit_rows(raw, len(batch), self.dim)
        return unit_rows(pool(vectors, owners, lengths, len(texts)), len(texts), self.dim)

    def encode_images(self, images: Sequence[ImageInput]) -> Floats:
        """(n, dim) float32, unit rows, in the order of the pictures. Pictures are decoded in threads.

        Raises:
            PictureError: a picture cannot be opened; none of the batch is returned.
        """
        if isinstance(images, str | bytes):
            raise InputError("one picture was given", "a sequence of pictures", "put it into a list")
        rows: list[Floats] = [np.zeros((0, self.dim), dtype=np.float32)]
        for prepared in self._prepared(images):
            rows.append(unit_rows(self._loaded.embed_images(prepared), len(prepared), self.dim))
        return np.concatenate(rows)

    async def aencode_texts(self, texts: Sequence[str]) -> Floats:
        """`encode_texts` in a thread; the event loop stays free."""
        return await asyncio.to_thread(self.encode_texts, texts)

    async def aencode_images(self, images: Sequence[ImageInput]) -> Floats:
        """`encode_images` in a thread; the event loop stays free."""
        return await asyncio.to_thread(self.encode_images, images)

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Give nodes their vectors, as a step of an `IngestionPipeline`.

        A picture is given that of what its file shows and beside it that of its words, if it has any; LlamaIndex's own
        step would take the words for what it shows.

        Raises:
            PictureError: a picture cannot be opened; no node is given a vector.
        """
        pictures = [node for node in nodes if isinstance(node, ImageNode)]
        worded = [node for node in pictures if node.text.strip()]
        shown = self.get_image_embedding_batch([node.image_path or "" for node in pictures])
        said = self.get_text_embedding_batch([node.text for node in worded])
        super().__call__([node for node in nodes if not isinstance(node, ImageNode)], **kwargs)
        for node, embedding in zip(pictures, shown, strict=True):
            node.embedding = embedding
        for node, embedding in zip(worded, said, strict=True):
            node.text_embedding = embedding
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """`__call__` in a thread; the event loop stays free."""
        return await asyncio.to_thread(self.__call__, nodes, **kwargs)

    def _prepared(self, images: Sequence[ImageInput]) -> Iterator[list[Any]]:
        """Batches of prepared pictures; the next batch is decoded while the caller encodes this one."""
        size = self.embed_batch_size
        with ThreadPoolExecutor(_DECODERS, thread_name_prefix="triptych-decode") as threads:
            coming = self._submit(threads, images[:size])
            for start in range(size, len(images) + size, size):
                batch = [future.result() for future in coming]
                coming = self._submit(threads, images[start : start + size])
                yield batch

    def _submit(self, threads: ThreadPoolExecutor, images: Sequence[ImageInput]) -> list[Future[Any]]:
        # A PIL object may stand twice in a batch, and it must not be loaded by two threads at once.
        sources = [open_picture(image) if isinstance(image, Image.Image) else image for image in images]
        return [threads.submit(self._prepare, source) for source in sources]

    def _prepare(self, image: ImageInput) -> Any:
        return self._loaded.prepare_image(open_picture(image))

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._get_text_embeddings([query])[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return (await self._aget_text_embeddings([query]))[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return _lists(self.encode_texts(texts))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return _lists(await self.aencode_texts(texts))

    def _get_image_embedding(self, img_file_path: ImageType) -> Embedding:
        return self._get_image_embeddings([img_file_path])[0]

    async def _aget_image_embedding(self, img_file_path: ImageType) -> Embedding:
        return (await self._aget_image_embeddings([img_file_path]))[0]

    def _get_image_embeddings(self, img_file_paths: list[ImageType]) -> list[Embedding]:
        return _lists(self.encode_images(img_file_paths))

    async def _aget_image_embeddings(self, img_file_paths: list[ImageType]) -> list[Embedding]:
        return _lists(await self.aencode_images(img_file_paths))


def load_encoder(name: str | os.PathLike[str] | MultiModalEmbedding = "bundled", **options: Any) -> ClipEncoder:
    """The encoder behind a name (see `ClipEncoder`), or around a LlamaIndex embedding.

    A `ClipEncoder` comes back as it is.

    Raises:
        EncoderError: see `ClipEncoder`.
        MissingExtra: the model needs torch and transformers.
    """
    if isinstance(name, ClipEncoder):
        return name
    return ClipEncoder(name, **options)


def _clean(text: str) -> str:
    """The text with lone surrogates replaced, character by character: no tokenizer takes them."""
    if not isinstance(text, str):
        raise InputError(f"a {type(text).__name__} was given as a text", "a string", "convert it first")
    return text.encode("utf-8", "replace").decode("utf-8")


def _lists(rows: Floats) -> list[Embedding]:
    return [[float(value) for value in row] for row in rows]
