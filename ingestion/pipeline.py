"""Files into the store: read, split, encode, write the new before the stale is removed; what is unchanged is not
touched.

The store is the only record of what is ingested. A source is complete if it holds as many points as each of them says
(`doc_nodes`), all of one `revision`; a run that was interrupted leaves it incomplete, and the next run does it again.

Four stages overlap, each bounded by the next and all in the order of the files: processes parse, a thread splits and
stores pictures, the calling thread encodes, a thread writes. The outcome is the same as one after the other.
"""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

from llama_index.core.schema import ImageNode, TextNode

from ingestion.assets import PictureStore
from ingestion.generated import keep_generated
from ingestion.nodes import Origin, build_nodes, check_metadata, embed
from ingestion.ocr import require
from ingestion.patience import PatientStore
from ingestion.readers import READERS, reader_name
from ingestion.reading import Job, Reading
from ingestion.report import Failure, IngestReport, Notice, Outcome, ProgressEvent, Skip
from ingestion.rooms import cleared
from ingestion.seams import Encoder, SourceState, Store
from ingestion.sources import Access, WebPictures, gathered, web_pictures
from ingestion.stages import Behind, ahead
from ingestion.tally import Progress, Settled, Tally, counted
from ingestion.walk import INSIDE, Found, Survey
from ingestion.workers import ReaderPool, Readers
from rag.errors import InputError, PictureError

__all__ = ["PIPELINE_VERSION", "Encoder", "IngestReport", "ProgressEvent", "SourceState", "Store", "ingest"]

PIPELINE_VERSION: Final = "3"
"""Part of every revision: raised when readers or splitting change what comes out of an unchanged file."""

FLUSH_NODES: Final = 256
"""Nodes that are gathered, over documents, before they are encoded and written: this bounds memory."""

PREPARED: Final = 2
"""Documents that wait to be encoded."""
UNWRITTEN: Final = 2
"""Batches of encoded nodes that wait to be written."""


def ingest(
    paths: Sequence[str | Path],
    *,
    encoder: Encoder,
    store: Store,
    pictures: PictureStore,
    metadata: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    remove_missing: bool = False,
    exclude: Sequence[Path] = (),
    ocr: bool = False,
    patterns: Sequence[str] = (),
    include: Sequence[str] = (),
    access: Access | None = None,
    readers: Readers | None = None,
    stopped: Callable[[IngestReport], None] | None = None,
    allow_empty: bool = False,
) -> IngestReport:
    """Ingest files, folders (recursive, sorted, hidden files left out), archives and URLs, and say what became of each.

    A file that cannot be read is reported, what is stored of it stays, and the rest goes on. `remove_missing`:
    sources below the given folders, archives and prefixes that are gone are removed, and so is a URL whose server says
    that it is. `exclude`: folders that are not looked into, such as the corpus itself; `ocr`: the words in pictures are
    read; `patterns` and `include`: see `ingestion.walk.survey`. `access`: which archives and addresses may be opened,
    and how much of them. `readers` parse the files (default: a pool of processes, closed at the end). `allow_empty`:
    finding nothing to read is an outcome, not an error; with `remove_missing` it always is.

    A picture that a document of this run shows is part of that document, not a source of its own, unless it was named
    itself.

    Raises InputError where a path does not exist, where nothing readable was found, or where the metadata cannot be
    stored; MissingExtra for `ocr` without the extra; EncoderError and StoreError where the encoder or the engine fail,
    KeyboardInterrupt where it is interrupted. What was written until then stays, and `stopped` is called with a report
    of it before the error is raised.
    """
    own = check_metadata(metadata or {})
    if ocr:
        require()
    access = access or Access()
    cleared()
    with (
        gathered(paths, access, (*exclude, pictures.root), patterns, include) as found,
        web_pictures(access) as fetch,
    ):
        patient = PatientStore(store)
        run = _Run(
            encoder=encoder, store=patient, pictures=pictures, metadata=own, progress=progress, ocr=ocr, fetch=fetch
        )
        run.tally.total = len(found.files) + len(found.skips) + len(found.failures) + len(found.gone)
        if not (allow_empty or remove_missing or found.files or found.failures or found.gone):
            raise _nothing_readable(paths, found)
        with ReaderPool() if readers is None else nullcontext(readers) as open_readers:
            try:
                run.everything(found, open_readers, remove_missing)
            except BaseException as exc:
                run.stop(open_readers)
                if stopped is not None:
                    stopped(run.tally.report("interrupted" if isinstance(exc, KeyboardInterrupt) else str(exc)))
                raise
    return run.tally.report()


def _nothing_readable(paths: Sequence[str | Path], found: Survey) -> InputError:
    """The error for paths without a file to read, with the reasons for which files were left out."""
    reasons = Counter(skip.reason for skip in found.skips)
    told = ", ".join(f"{reason} ({count})" if count > 1 else reason for reason, count in reasons.most_common(3))
    return InputError(
        f"nothing readable in {', '.join(map(str, paths))}" + f": {told}" * bool(told),
        f"files with these suffixes, or without one, are read: {' '.join(sorted(READERS))}",
        "name other files or folders" + ", or open archives: --archives" * bool(found.closed),
    )


@dataclass(frozen=True)
class _Prepared:
    """A source that is settled already, or whose nodes wait for their vectors and are to replace what is stored."""

    settled: Settled
    nodes: list[TextNode] | None = None


class _Run:
    """The state of one ingestion."""

    def __init__(
        self,
        *,
        encoder: Encoder,
        store: PatientStore,
        pictures: PictureStore,
        metadata: Mapping[str, Any],
        progress: Progress | None,
        ocr: bool,
        fetch: WebPictures | None,
    ) -> None:
        self.encoder, self.store, self.pictures, self.metadata = encoder, store, pictures, metadata
        self.ocr, self.fetch = ocr, fetch
        self.tally, self.wrote = Tally(progress), False
        self.known: Mapping[str, SourceState] = store.sources()
        self.shown: dict[Path, str] = {}
        self.pending: list[_Prepared] = []
        self.writer: Behind[Settled | None] = Behind(UNWRITTEN)

    def everything(self, found: Survey, readers: Readers, remove_missing: bool) -> None:
        """Deal with every file, then with the files that are gone."""
        self.tally.parts += found.parts
        for skip in found.skips:
            self.tally.add(Settled(skip.source, "skipped", reason=skip.reason))
        for failure in found.failures:
            self.tally.add(Settled(failure.source, "failed", failure=failure))
        with ahead(self.prepare(found.files, readers), PREPARED) as prepared:
            try:
                while (source := self.next(prepared)) is not None:
                    self.take(source)
            except BaseException:
                self.abandon(readers)
                raise
        self.flush()
        self.gone(found.gone, remove_missing)
        if remove_missing:
            self.remove_missing(found)
        with self.tally.waiting():
            self.writer.finish()
        self.settle()
        if self.wrote:
            self.completed()
        # Also where nothing was written: the run before may have been killed on its way here.
        self.store.optimize()

    def completed(self) -> None:
        """The end of a run that wrote: the place for what depends on all that is stored."""

    def abandon(self, readers: Readers) -> None:
        """Wait for nobody any longer."""
        self.store.give_up()
        if self.fetch is not None:
            self.fetch.close()
        readers.close()

    def stop(self, readers: Readers) -> None:
        """End all that is under way; what is encoded is still written."""
        self.abandon(readers)
        self.writer.stop()
        self.settle()

    def prepare(self, files: Sequence[Found], readers: Readers) -> Iterator[_Prepared]:
        """Every file read, documents before the pictures that they may show. Runs in a thread of its own."""
        pictures = [file for file in files if reader_name(file.path) == "image"]
        documents = [file for file in files if reader_name(file.path) != "image"]
        for kind in (documents, pictures):
            asked: deque[Found] = deque()
            for reading in readers.read(self.jobs(kind, asked), self.fetch):
                yield self.prepared(asked.popleft(), reading)

    def jobs(self, files: Iterable[Found], asked: deque[Found]) -> Iterator[Job]:
        """A job for each file that is a source; their files are added to `asked` in the same order."""
        settings = json.dumps(
            [PIPELINE_VERSION, self.encoder.text_window, dict(self.metadata), self.ocr, self.fetch is not None],
            sort_keys=True,
        )
        for file in files:
            if not file.named and file.path in self.shown:
                self.tally.parts.append(Skip(file.source, f"part of {self.shown[file.path]}, which shows it"))
                continue
            asked.append(file)
            stored = self.stored(file.source)
            yield Job(file.path, file.root, settings, stored, self.ocr, self.fetch is not None, file.url)

    def stored(self, source: str) -> str | None:
        """The revision that the store holds of a source, if it holds all of it and no picture file is lost."""
        state = self.known.get(source)
        if state is None or state.nodes != state.expected or not all(map(os.path.isfile, state.pictures)):
            return None
        return state.revision

    def prepared(self, file: Found, reading: Reading) -> _Prepared:
        """What a reading means for its source."""
        if reader_name(file.path) != "image":
            self.shown.update(dict.fromkeys(reading.links, file.path.name))
        if reading.error is not None:
            return _Prepared(Settled(file.source, "failed", failure=file.failed(reading.error)))
        if reading.document is None:
            state = self.known[file.source]
            images = len(state.pictures)
            return _Prepared(Settled(file.source, "unchanged", (state.nodes - images, images)))
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        origin = Origin(file.source, reading.revision, now, self.metadata)
        try:
            nodes = build_nodes(
                reading.document, origin, self.pictures, self.encoder.token_spans, self.encoder.text_window
            )
        except InputError as exc:
            return _Prepared(Settled(file.source, "failed", failure=file.failed(exc)))
        if file.source in self.known:
            before = self.store.get_nodes(sorted(self.store.points_of(file.source)), with_vectors=False)
            keep_generated(nodes, before)
        left_out = reading.document.left_out
        notices = tuple(Notice(file.source, lost.what, lost.reason) for lost in reading.document.warnings)
        if not nodes:
            nothing = "neither text nor pictures in it"
            return _Prepared(Settled(file.source, "skipped", reason=nothing, notices=notices, left_out=left_out), nodes)
        outcome: Outcome = "updated" if file.source in self.known else "added"
        return _Prepared(Settled(file.source, outcome, counted(nodes), notices=notices, left_out=left_out), nodes)

    def next(self, prepared: Iterator[_Prepared]) -> _Prepared | None:
        """The next source, waited for; None at the end."""
        with self.tally.waiting():
            return next(prepared, None)

    def take(self, source: _Prepared) -> None:
        """Gather a source until there is enough to encode."""
        if source.nodes is None:
            self.tally.add(source.settled)
            return
        self.pending.append(source)
        if sum(len(prepared.nodes or ()) for prepared in self.pending) >= FLUSH_NODES:
            self.flush()

    def flush(self) -> None:
        """Encode what is pending and have it written; then have removed what each document no longer has."""
        pending, self.pending = self.pending, []
        try:
            self.encode([node for prepared in pending for node in prepared.nodes or ()])
        except PictureError:
            # One picture spoils its batch: document by document the others are saved.
            self.writer.rest()
            for prepared in pending:
                self.encode_alone(prepared)
        else:
            for prepared in pending:
                self.put(partial(self.replace, prepared))
        self.settle()

    def encode_alone(self, prepared: _Prepared) -> None:
        """One document, or the reason why not."""
        try:
            self.encode(prepared.nodes or [])
        except PictureError as exc:
            source = prepared.settled.source
            self.tally.add(Settled(source, "failed", failure=Failure.of(source, exc)))
        else:
            self.put(partial(self.replace, prepared))

    def encode(self, nodes: Sequence[TextNode]) -> None:
        """Encode and have written, at most FLUSH_NODES at a time. Raises PictureError before anything of the chunk is
        written."""
        for start in range(0, len(nodes), FLUSH_NODES):
            chunk = nodes[start : start + FLUSH_NODES]
            embed(chunk, self.encoder)
            self.put(partial(self.write, chunk))

    def put(self, job: Callable[[], Settled | None]) -> None:
        """Leave a job to the thread that writes, when it has room."""
        with self.tally.waiting():
            self.writer.put(job)

    def settle(self) -> None:
        """Count what has been written."""
        for settled in self.writer.results():
            if settled is not None:
                self.tally.add(settled)

    def write(self, nodes: Sequence[TextNode]) -> None:
        """Upsert nodes and forget their vectors: of a long document only the words stay in memory."""
        self.wrote = True
        self.store.add(nodes)
        for node in nodes:
            node.embedding = None
            if isinstance(node, ImageNode):
                node.text_embedding = None

    def replace(self, prepared: _Prepared) -> Settled:
        """The new is written: remove the stale."""
        self.discard(prepared.settled.source, keep=[node.node_id for node in prepared.nodes or ()])
        return prepared.settled

    def remove(self, source: str) -> Settled:
        """Remove a source whose file is gone."""
        self.discard(source, keep=())
        return Settled(source, "removed")

    def discard(self, source: str, keep: Iterable[str]) -> None:
        """Remove the points of a source except those to keep."""
        if source not in self.known:
            return
        stale = set(self.store.points_of(source)) - set(keep)
        if stale:
            self.wrote = True
            self.store.delete_ids(sorted(stale))

    def stored_below(self, beginnings: Sequence[str]) -> list[str]:
        """The stored sources whose names begin so."""
        return sorted(source for source in self.known if source.startswith(tuple(beginnings)))

    def remove_missing(self, found: Survey) -> None:
        """Remove stored sources below what was given that are no longer files to read.

        What lies below a folder that cannot be listed, or in an archive that was not opened, may well be there, and
        stays; so does what could not be read.
        """
        kept = {file.source for file in found.files} - {part.source for part in self.tally.parts}
        kept.update(failure.source for failure in found.failures)
        kept.update(self.stored_below(found.unknown))
        for source in self.stored_below(found.complete):
            if source not in kept:
                self.put(partial(self.remove, source))

    def gone(self, gone: Sequence[Failure], remove: bool) -> None:
        """What its server says is gone: removed where that was asked for and something is stored, else failed."""
        for failure in gone:
            inside = self.stored_below([failure.source + INSIDE])
            stored = [*inside, *([failure.source] if failure.source in self.known else [])]
            for source in stored if remove else ():
                self.put(partial(self.remove, source))
            if not (remove and stored):
                self.tally.add(Settled(failure.source, "failed", failure=failure))
