"""`Corpus`: the facade that wires the encoder, the store, ingestion, retrieval and answers together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rag.errors import EncoderError, InputError, StoreLocked, StoreMissing
from rag.location import COLLECTION, PICTURES, Location
from rag.schema import MODALITIES, Answer, Hit, Hits
from rag.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.chat_engine.types import BaseChatEngine
    from llama_index.core.embeddings import MultiModalEmbedding
    from llama_index.core.llms import LLM
    from llama_index.core.schema import TextNode
    from llama_index.core.vector_stores.types import MetadataFilters
    from typing_extensions import Self

    from ingestion.generated import Captioner, CaptionReport
    from ingestion.pipeline import IngestReport, ProgressEvent
    from ingestion.workers import Readers
    from rag.encoders import ClipEncoder
    from rag.pictures import ImageInput
    from rag.question import Term
    from rag.ranking import Judge, RankingOptions
    from rag.retriever import FusionRetriever
    from rag.store import FilterExpr, NamedVectorStore

__all__ = ["Corpus"]

_WIRED: Final = frozenset({"retriever", "llm", "multi_modal_llm", "kwargs"})
"""What a corpus gives LlamaIndex's engines itself."""


class Corpus:
    """A collection of mixed documents: ingest files, search them, ask questions about them.

    Open one with `Corpus.open`; use it as a context manager, or call `close`. Errors are `rag.errors.TriptychError`s.
    """

    def __init__(
        self, name: str, root: Path, store: NamedVectorStore, settings: Settings, encoder: ClipEncoder | None = None
    ) -> None:
        self.name, self.root, self.store, self.settings = name, root, store, settings
        self._encoder = encoder
        self._judges: dict[str, Judge] = {}

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        encoder: str | MultiModalEmbedding | None = None,
        qdrant: str | None = None,
        collection: str | None = None,
        language: str | None = None,
        create: bool = True,
        settings: Settings | None = None,
        wait: float = 0.0,
    ) -> Corpus:
        """Open a corpus, and make it where there is none and `create` is true.

        `path` is the folder of the embedded collection and of the picture files; with `qdrant` (the URL of a server, or
        `:memory:`) the vectors live there under the name `collection`. `encoder` is a name, a folder or a LlamaIndex
        embedding; without it the collection's own encoder is used, `bundled` for a new one. `language` is the one most
        documents are written in: it decides stems and stop words, and stays with the collection. `wait`: seconds for
        which another process that holds the folder is waited for. Raises EncoderMismatch where the collection was made
        by another encoder, InputError where it was made for another language, StoreLocked where another process holds
        the folder still, StoreError where this one has it open already.
        """
        from ingestion.lock import when_free

        settings = settings or Settings.load(corpus=path, qdrant=qdrant, collection=collection)
        where = Location(
            Path(path) if path is not None else settings.corpus,
            settings.qdrant if qdrant is None else qdrant,
            collection or settings.collection,
            language or settings.language,
        )

        def opening(encoder: ClipEncoder | None, create: bool) -> NamedVectorStore:
            return when_free(lambda: where.open(settings, encoder, create=create), where.root, wait)

        wanted = encoder or settings.encoder
        loaded = _load_encoder(wanted, settings) if wanted else None
        try:
            store = opening(loaded, create)
        except StoreMissing as exc:
            if not create:
                raise InputError(
                    f"there is no corpus at {where.name}", advice=f"make one with: triptych ingest PATH {where.flags}"
                ) from exc
            loaded = _load_encoder("bundled", settings)
            store = opening(loaded, True)
        return cls(where.name, where.root, store, settings, loaded)

    @property
    def encoder(self) -> ClipEncoder:
        """The encoder of this collection, loaded when it is first needed."""
        if self._encoder is None:
            manifest = self.store.manifest
            try:
                loaded = _load_encoder(manifest.encoder.name, self.settings)
            except EncoderError as exc:
                raise EncoderError(
                    f"{self.name} was made by encoder {manifest.encoder}, which cannot be loaded by its name",
                    " ".join(str(exc).split()),
                    "hand it in: Corpus.open(…, encoder=…), or --encoder with its folder",
                ) from exc
            manifest.require(loaded.fingerprint, self.name)
            self._encoder = loaded
        return self._encoder

    def ingest(
        self,
        *paths: str | Path,
        metadata: Mapping[str, Any] | None = None,
        remove_missing: bool = False,
        ocr: bool | None = None,
        progress: Callable[[ProgressEvent], None] | None = None,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        archives: bool = False,
        allow_private: bool | None = None,
        fetch_pictures: bool | None = None,
        wait: float = 0.0,
        readers: Readers | None = None,
        stopped: Callable[[IngestReport], None] | None = None,
        allow_empty: bool = False,
    ) -> IngestReport:
        """Read files, folders and URLs (http, https, and with [remote] s3, gs, az) into the collection; what is
        unchanged is left alone. See `ingestion.pipeline`.

        `exclude`, `include`: patterns as in .gitignore, of what is left out and of what alone is read. `archives`:
        whether zip and tar archives are opened. `allow_private` (default: as the settings say): whether URLs may lead
        to loopback and private addresses; never pass it on from somebody who also chooses the URL. `fetch_pictures`
        (likewise): whether pictures are fetched that documents show from the web. `wait`: seconds
        for which another ingestion into this corpus is waited for; then StoreLocked is raised. `readers` (default: as
        the settings say, closed at the end) parse the files. `allow_empty`: nothing to read is no InputError.
        """
        from ingestion.assets import PictureStore
        from ingestion.lock import one_at_a_time
        from ingestion.pipeline import ingest
        from ingestion.sources import Access, Limits
        from ingestion.workers import open_readers

        settings, encoder = self.settings, self.encoder
        access = Access(
            archives,
            settings.allow_private if allow_private is None else allow_private,
            Limits(settings.fetch_limit * 2**20, settings.fetch_timeout),
            pictures=settings.fetch_pictures if fetch_pictures is None else fetch_pictures,
        )

        def named(report: IngestReport) -> IngestReport:
            return replace(report, corpus=self.name, encoder=str(encoder.fingerprint))

        parsing = (
            open_readers(settings.reader_workers, settings.reader_timeout, settings.reader_memory)
            if readers is None
            else nullcontext(readers)
        )
        pictures = PictureStore(self.pictures)
        with one_at_a_time(self.root, wait), parsing as opened:
            pictures.claim(self._claim)
            report = ingest(
                paths,
                encoder=encoder,
                store=self.store,
                pictures=pictures,
                metadata=metadata,
                remove_missing=remove_missing,
                ocr=settings.ocr if ocr is None else ocr,
                progress=progress,
                exclude=(self.root, self.root / COLLECTION),
                patterns=exclude,
                include=include,
                access=access,
                readers=opened,
                stopped=None if stopped is None else lambda report: stopped(named(report)),
                allow_empty=allow_empty,
            )
            if report.sources.changed or not self.store.is_calibrated:
                self.store.calibrate()
            self._sweep()
        return named(report)

    def caption(
        self,
        *,
        llm: str | LLM | None = None,
        model: str = "",
        filters: str | MetadataFilters | None = "",
        overwrite: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> CaptionReport:
        """Have the pictures that nobody has described described by a model; nothing else is embedded again.

        `llm` is a multimodal language model (default: the configured one), `model` a captioning checkpoint on this
        machine instead. `filters` bounds the pictures; `overwrite` describes anew what a model described before. See
        `ingestion.generated`. Raises InputError where no model is named, LLMError where it fails again and again.
        """
        from ingestion.generated import GENERATED, caption_pictures
        from rag.store.filters import Comparison

        captioner = self._captioner(llm, model)
        generated = Comparison("caption_source", "=", GENERATED)
        return caption_pictures(
            self.store.get_nodes(filters=self._filters(filters, "image"), with_vectors=False),
            captioner,
            store=self.store,
            encoder=self.encoder,
            known=self.store.get_nodes(filters=generated, with_vectors=False),
            overwrite=overwrite,
            progress=progress,
        )

    def add_nodes(self, nodes: Sequence[TextNode], progress: Callable[[int, int], None] | None = None) -> None:
        """Embed LlamaIndex text and image nodes and store them. Node ids must be UUIDs.

        A picture that cannot be opened is stored with its words alone; `status` counts its vectors.
        """
        from ingestion.nodes import embed_what_opens

        batch = 64
        for start in range(0, len(nodes), batch):
            chunk = nodes[start : start + batch]
            embed_what_opens(chunk, self.encoder)
            self.store.add(chunk)
            if progress:
                progress(min(start + batch, len(nodes)), len(nodes))
        self.store.calibrate()
        self.store.optimize()

    def search(
        self,
        query: str = "",
        *,
        image: ImageInput | None = None,
        k: int | None = None,
        filters: str | MetadataFilters | None = "",
        modality: str = "",
        weights: Mapping[str, float] | None = None,
        fusion: str | None = None,
        threshold: float | None = None,
        terms: Sequence[Term] = (),
        ranking: RankingOptions | None = None,
    ) -> Hits:
        """Rank passages and pictures for a question in words, as a picture, or both: at most `k` hits, best first.

        `terms` are further parts of the question with weights of their own, which may be negative, or the ids of stored
        nodes ("more like this"). `filters` is an expression of the filter language, or LlamaIndex's `MetadataFilters`.
        `threshold` leaves out hits of lower confidence. `ranking` says what happens after fusion; without it what the
        settings say (near-duplicates are collapsed). Raises InputError for an empty question, FilterError for a filter
        that cannot match, PictureError for a picture that cannot be opened.
        """
        from rag.question import Question
        from rag.ranking import RankingOptions, to_hits

        question = Question(query, image, tuple(terms))
        retriever = self.as_retriever(
            k=k,
            filters=filters,
            modality=modality,
            weights=weights,
            fusion=fusion,
            threshold=threshold,
            ranking=RankingOptions.of(self.settings) if ranking is None else ranking,
        )
        ranked = retriever.rank(question)
        return Hits(to_hits(ranked.nodes), ranked.seconds)

    def ask(
        self,
        question: str,
        *,
        image: str | Path | None = None,
        k: int | None = None,
        filters: str | MetadataFilters | None = "",
        llm: str | LLM | None = None,
        ranking: RankingOptions | None = None,
    ) -> Answer:
        """Answer a question from the documents, with citations. Without an LLM the answer quotes them.

        `ranking` as in `search`.
        """
        from rag.answer import Answerer

        if not question.strip():
            raise InputError(
                "an empty question", "allowed: words, and with --image FILE a picture beside them", "give QUESTION"
            )
        settings = self.settings
        count = settings.passages if k is None else k
        hits = self.search(question, image=image, k=count, filters=filters, ranking=ranking)
        answerer = Answerer(
            self._llm(llm),
            max_pictures=settings.max_pictures,
            picture_bound=settings.picture_bound,
            token_budget=settings.token_budget,
        )
        return answerer.answer(question, hits, passages=self.passages(hits), image=image)

    def passages(self, hits: Sequence[Hit]) -> dict[str, str]:
        """The text of each hit, best first, with the passages before and after, by hit id; see `rag.answer.neighbours`.

        No text comes twice: a neighbour that is a hit itself is left to its own place.
        """
        from rag.answer.neighbours import with_neighbours

        nodes = {node.node_id: node for node in self.store.get_nodes([hit.id for hit in hits], with_vectors=False)}
        return with_neighbours(self.store, [nodes[hit.id] for hit in hits if hit.id in nodes])

    def status(self) -> dict[str, Any]:
        """What the collection holds, as `triptych status --json` prints it."""
        counts = self.store.counts()
        return {
            "corpus": self.name,
            "encoder": str(self.store.fingerprint),
            "engine": self.store.engine_kind,
            "points": counts["points"],
            "nodes": counts["nodes"],
            "sources": len(self.store.sources()),
            "vectors": counts["vectors"],
        }

    def delete(self, source: str) -> int:
        """Remove a source, its nodes and the pictures that only it had; returns how many nodes were removed.

        Where an ingestion is under way the pictures are left to it. Raises InputError if there is no such source.
        """
        from ingestion.lock import one_at_a_time

        known = self.store.sources()
        names = (source, "" if "\0" in source else str(Path(source).resolve()))
        wanted = next((name for name in names if name and name in known), None)
        if wanted is None:
            raise InputError(
                f"no source {source!r} in {self.name}",
                "allowed: a source as a hit prints it",
                "see triptych status --sources",
            )
        removed = self.store.delete_source(wanted)
        if self.pictures.is_dir():
            with suppress(StoreLocked), one_at_a_time(self.root):
                self._sweep()
        return removed

    def as_retriever(
        self,
        *,
        k: int | None = None,
        filters: str | MetadataFilters | None = "",
        modality: str = "",
        weights: Mapping[str, float] | None = None,
        fusion: str | None = None,
        threshold: float | None = None,
        depth: int | None = None,
        depths: Mapping[str, int] | None = None,
        ranking: RankingOptions | None = None,
    ) -> FusionRetriever:
        """A LlamaIndex retriever over this corpus: the fused ranking as it is, unless `ranking` asks for more."""
        from rag.retriever import FusionRetriever

        settings = self.settings
        k = settings.k if k is None else k
        return FusionRetriever(
            self.store,
            self.encoder,
            similarity_top_k=k,
            depth=settings.depth if depth is None else depth,
            depths={**{str(leg): one for leg, one in settings.depths.items()}, **(depths or {})},
            fusion=fusion or settings.fusion,
            weights={**{str(leg): weight for leg, weight in settings.weights.items()}, **(weights or {})},
            filters=self._filters(filters, modality),
            stages=() if ranking is None else ranking.stages(self.store, k, self._judge),
            threshold=settings.threshold if threshold is None else threshold,
        )

    def as_query_engine(self, llm: LLM | None = None, **options: Any) -> BaseQueryEngine:
        """A LlamaIndex query engine that sends passages and pictures to a multimodal LLM.

        `options` are those of `as_retriever` and of `RetrieverQueryEngine.from_args` (`streaming`, `response_mode`,
        `node_postprocessors`: LlamaIndex's, or `rag.answer.neighbours.Neighbours`). LlamaIndex sends pictures to chat
        models only; one that completes text is sent the passages and the captions. Raises InputError.
        """
        from llama_index.core.query_engine import RetrieverQueryEngine

        model = self._required_llm(llm)
        retrieval, others = _parted(options, self.as_retriever, RetrieverQueryEngine.from_args)
        others = {"multimodal": model.metadata.is_chat_model, **others}
        return RetrieverQueryEngine.from_args(self.as_retriever(**retrieval), llm=model, **others)

    def as_chat_engine(self, llm: LLM | None = None, **options: Any) -> BaseChatEngine:
        """A LlamaIndex chat engine that condenses the conversation and answers from passages and pictures.

        `options` are those of `as_retriever` and of `MultiModalCondensePlusContextChatEngine.from_defaults` (`memory`,
        `system_prompt`, `node_postprocessors`). Raises InputError.
        """
        from llama_index.core.chat_engine import MultiModalCondensePlusContextChatEngine as Engine

        model = self._required_llm(llm)
        retrieval, others = _parted(options, self.as_retriever, Engine.from_defaults)
        return Engine.from_defaults(self.as_retriever(**retrieval), multi_modal_llm=model, **others)

    @property
    def pictures(self) -> Path:
        """Folder of the picture files."""
        return self.root / PICTURES

    def close(self) -> None:
        """Release the engine; the embedded one may then be opened by another process."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _claim(self) -> str:
        """What the folder of the pictures calls this collection."""
        return f"embedded/{self.store.collection_name}" if self.store.engine_kind == "embedded" else self.name

    def _sweep(self) -> None:
        """Remove the pictures that no point refers to any longer. A collection in memory does not outlive its process
        and has no say in it."""
        from ingestion.assets import PictureStore

        if self.store.engine_kind != "memory":
            PictureStore(self.pictures).sweep(self._claim, self.store.pictures())

    def _filters(self, given: str | MetadataFilters | None, modality: str) -> FilterExpr | None:
        from rag.store import parse_filter
        from rag.store.filters import And, Comparison, from_llama_index

        if modality and modality not in MODALITIES:
            raise InputError(f"modality {modality!r}", f"allowed: {', '.join(MODALITIES)}", "choose one of them")
        parts: list[FilterExpr] = []
        if isinstance(given, str):
            parts += [parse_filter(given)] if given.strip() else []
        elif given is not None:
            parts.append(from_llama_index(given))
        if modality:
            parts.append(Comparison("modality", "=", modality))
        return And(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)

    def _judge(self, name: str) -> Judge:
        """The reranker `name`, kept for the next question."""
        if name not in self._judges:
            if name == "llm":
                from rag.answer import LLMJudge

                self._judges[name] = LLMJudge(self._required_llm(None), self.settings.token_budget)
            else:
                from rag.encoders.cross_encoder import CrossEncoder

                self._judges[name] = CrossEncoder(name, self.settings.device)
        return self._judges[name]

    def _llm(self, llm: str | LLM | None) -> LLM | None:
        from rag.answer import load_llm

        if llm is not None and not isinstance(llm, str):
            return llm
        settings = self.settings
        return load_llm(
            settings.llm if llm is None else llm,
            base_url=settings.llm_base_url,
            api_key=settings.openai_key(),
            timeout=settings.llm_timeout,
            multimodal=settings.llm_multimodal,
        )

    def _captioner(self, llm: str | LLM | None, model: str) -> Captioner:
        if model and llm:
            raise InputError("both a language model and a captioning model", "allowed: one of them", "leave one out")
        if model:
            from rag.encoders.local_captioner import LocalCaptioner

            return LocalCaptioner(model, self.settings.device)
        from rag.answer.captioner import LLMCaptioner

        found = self._llm(llm)
        if found is None:
            raise InputError(
                "no model that could describe pictures is configured",
                "allowed: a multimodal language model, or a captioning checkpoint on this machine",
                "give --llm NAME (and TRIPTYCH_LLM_BASE_URL), or --model FOLDER",
            )
        return LLMCaptioner(found, self.settings.picture_bound)

    def _required_llm(self, llm: LLM | None) -> LLM:
        found = self._llm(llm)
        if found is None:
            raise InputError(
                "no language model is configured", "allowed: any LlamaIndex LLM", "pass llm=… or set TRIPTYCH_LLM"
            )
        return found


def _parted(options: Mapping[str, Any], *takers: Callable[..., Any]) -> list[dict[str, Any]]:
    """The options that each taker names. Raises InputError for one that none does: LlamaIndex would ignore it."""
    named = [set(inspect.signature(taker).parameters) - _WIRED for taker in takers]
    known = set().union(*named)
    if unknown := [name for name in options if name not in known]:
        raise InputError(f"unknown option {unknown[0]!r}", f"allowed: {', '.join(sorted(known))}", "correct its name")
    return [{name: value for name, value in options.items() if name in names} for names in named]


def _load_encoder(encoder: str | MultiModalEmbedding, settings: Settings) -> ClipEncoder:
    from rag.encoders import load_encoder

    return load_encoder(encoder, device=settings.device)
