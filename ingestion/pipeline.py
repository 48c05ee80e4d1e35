"""Files into the store: read, split, encode, write the new before the stale is removed; what is unchanged is not
touched.

The store is the only record of what is ingested. A source is complete if it holds as many points as each of them says
(`doc_nodes`), all of one `revision`; a run that was interrupted leaves it incomplete, and the next run does it again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, TypeAlias

from llama_index.core.schema import BaseNode, ImageNode, TextNode

from ingestion.assets import PictureStore
from ingestion.generated import keep_generated
from ingestion.nodes import Origin, build_nodes, check_metadata, embed
from ingestion.ocr import require, switched
from ingestion.readers import READERS, linked_files, read, reader_name
from ingestion.report import Failure, IngestReport, Notice, Outcome, ProgressEvent, Skip, SourceCounts
from ingestion.seams import Encoder, SourceState, Store
from ingestion.walk import Found, Survey, survey
from rag.errors import InputError, PictureError, SourceError

__all__ = ["PIPELINE_VERSION", "Encoder", "IngestReport", "ProgressEvent", "SourceState", "Store", "ingest"]

PIPELINE_VERSION: Final = "2"
"""Part of every revision: raised when readers or splitting change what comes out of an unchanged file."""

FLUSH_NODES: Final = 256
"""Nodes that are gathered, over documents, before they are encoded and written: this bounds memory."""

Progress: TypeAlias = Callable[[ProgressEvent], None]


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
) -> IngestReport:
    """Ingest files and folders (recursive, sorted, hidden files left out) and say what became of each.

    A file that cannot be read is reported, what is stored of it stays, and the rest goes on. `remove_missing`:
    sources below the given folders whose files are gone are removed. `exclude`: folders that are not looked into,
    such as the corpus itself. `ocr`: the words in pictures are read.

    A picture that a document of this run shows is part of that document, not a source of its own, unless it was named
    itself.

    Raises InputError where a path does not exist, where nothing readable was found, or where the metadata cannot be
    stored; MissingExtra for `ocr` without the extra; EncoderError and StoreError where the encoder or the engine fail.
    What was written until then stays.
    """
    own = check_metadata(metadata or {})
    if ocr:
        require()
    found = survey(paths, (*exclude, pictures.root))
    run = _Run(encoder=encoder, store=store, pictures=pictures, metadata=own, progress=progress, ocr=ocr)
    run.total = len(found.files) + len(found.skips)
    if not found.files and not (remove_missing and run.stored_below(found.folders)):
        raise InputError(
            f"nothing readable in {', '.join(map(str, paths))}",
            f"files with these suffixes are read: {' '.join(sorted(READERS))}",
            "name other files or folders",
        )
    run.skip(found.skips)
    run.parts += found.parts
    run.sources(found)
    run.flush()
    if remove_missing:
        run.remove_missing(found)
    if run.wrote:
        store.optimize()
    return run.report()


@dataclass(frozen=True)
class _Prepared:
    """A document whose nodes wait for their vectors."""

    source: str
    outcome: Outcome
    nodes: list[TextNode]


class _Run:
    """The state of one ingestion."""

    def __init__(
        self,
        *,
        encoder: Encoder,
        store: Store,
        pictures: PictureStore,
        metadata: Mapping[str, Any],
        progress: Progress | None,
        ocr: bool,
    ) -> None:
        self.encoder, self.store, self.pictures, self.metadata = encoder, store, pictures, metadata
        self.progress, self.total, self.ocr = progress, 0, ocr
        self.started, self.wrote = time.monotonic(), False
        self.known: Mapping[str, SourceState] = store.sources()
        self.counts: Counter[Outcome] = Counter()
        self.nodes: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.skips: list[Skip] = []
        self.notices: list[Notice] = []
        self.left_out: Counter[str] = Counter()
        self.removed: list[str] = []
        self.parts: list[Skip] = []
        self.pending: list[_Prepared] = []

    def report(self) -> IngestReport:
        """What was done."""
        return IngestReport(
            SourceCounts(**{str(outcome): count for outcome, count in self.counts.items()}),
            *(self.nodes["text"], self.nodes["image"]),
            failures=tuple(self.failures),
            skips=tuple(self.skips),
            parts=tuple(self.parts),
            warnings=tuple(self.notices),
            left_out=dict(self.left_out),
            seconds=time.monotonic() - self.started,
            removed=tuple(self.removed),
        )

    def done(self, source: str, outcome: Outcome) -> None:
        """Count a source and tell of it."""
        self.counts[outcome] += 1
        if self.progress is not None:
            done = sum(self.counts.values())
            self.progress(ProgressEvent(done, max(done, self.total), source, outcome))

    def skip(self, skips: Iterable[Skip]) -> None:
        """Files that are no sources."""
        for skip in skips:
            self.skips.append(skip)
            self.done(skip.source, "skipped")

    def fail(self, source: str, error: InputError) -> None:
        """A source that cannot be read."""
        self.failures.append(Failure.of(source, error))
        self.done(source, "failed")

    def sources(self, found: Survey) -> None:
        """Deal with every file, documents before the pictures that they may show."""
        shown: dict[Path, str] = {}
        ordered = sorted(found.files, key=lambda file: reader_name(file.path) == "image")
        for file in ordered:
            try:
                links = linked_files(file.path, file.root)
            except SourceError as exc:
                self.fail(file.source, exc)
                continue
            if reader_name(file.path) != "image":
                shown.update(dict.fromkeys(links, file.path.name))
            elif not file.named and file.path in shown:
                self.total -= 1
                self.parts.append(Skip(file.source, f"part of {shown[file.path]}, which shows it"))
                continue
            self.source(file, links)

    def source(self, file: Found, links: Sequence[Path]) -> None:
        """Read one file if it is new or changed, or if a picture file of it is lost."""
        state = self.known.get(file.source)
        try:
            revision = self.revision(file, links)
            if state is not None and state.revision == revision and state.nodes == state.expected:
                stored = self.store.get_nodes(sorted(self.store.points_of(file.source)), with_vectors=False)
                if all(Path(node.image_path or "").is_file() for node in stored if isinstance(node, ImageNode)):
                    self.count(stored)
                    self.done(file.source, "unchanged")
                    return
            nodes = self.prepare(file, revision)
        except InputError as exc:
            self.fail(file.source, exc)
            return
        if not nodes:
            self.discard(file.source, keep=())
            self.skip([Skip(file.source, "neither text nor pictures in it")])
            return
        self.pending.append(_Prepared(file.source, "updated" if state is not None else "added", nodes))
        if sum(len(prepared.nodes) for prepared in self.pending) >= FLUSH_NODES:
            self.flush()

    def revision(self, file: Found, links: Sequence[Path]) -> str:
        """sha256 over all that decides what is stored of a file. Raises SourceError where it cannot be opened."""
        digest = hashlib.sha256()
        settings = [PIPELINE_VERSION, self.encoder.text_window, dict(self.metadata), self.ocr]
        digest.update(json.dumps(settings, sort_keys=True).encode())
        for path in (file.path, *links):
            try:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as exc:
                raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
            digest.update(f"\n{path.name} {content}".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def prepare(self, file: Found, revision: str) -> list[TextNode]:
        """The nodes of a file, without vectors. Raises SourceError or PictureError."""
        with switched(self.ocr):
            document = read(file.path, file.root)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        origin = Origin(file.source, revision, now, self.metadata)
        nodes = build_nodes(document, origin, self.pictures, self.encoder.token_spans, self.encoder.text_window)
        if file.source in self.known:
            before = self.store.get_nodes(sorted(self.store.points_of(file.source)), with_vectors=False)
            keep_generated(nodes, before)
        self.left_out.update(document.left_out)
        self.notices += (Notice(file.source, lost.what, lost.reason) for lost in document.warnings)
        return nodes

    def flush(self) -> None:
        """Encode and write what is pending; then remove what each document had before and no longer has."""
        pending, self.pending = self.pending, []
        try:
            self.write([node for prepared in pending for node in prepared.nodes])
        except PictureError:
            # One picture spoils its batch: document by document the others are saved.
            for prepared in pending:
                self.write_alone(prepared)
            return
        for prepared in pending:
            self.finish(prepared)

    def write_alone(self, prepared: _Prepared) -> None:
        """Write one document, or report it."""
        try:
            self.write(prepared.nodes)
        except PictureError as exc:
            self.fail(prepared.source, exc)
        else:
            self.finish(prepared)

    def write(self, nodes: Sequence[TextNode]) -> None:
        """Encode and upsert, at most FLUSH_NODES at a time. Raises PictureError before anything of the chunk is
        written."""
        for start in range(0, len(nodes), FLUSH_NODES):
            chunk = nodes[start : start + FLUSH_NODES]
            embed(chunk, self.encoder)
            self.wrote = True
            self.store.add(chunk)

    def finish(self, prepared: _Prepared) -> None:
        """The new is written: remove the stale."""
        if prepared.source in self.known:
            self.discard(prepared.source, keep=[node.node_id for node in prepared.nodes])
        self.count(prepared.nodes)
        self.done(prepared.source, prepared.outcome)

    def discard(self, source: str, keep: Iterable[str]) -> None:
        """Remove the points of a source except those to keep."""
        if source not in self.known:
            return
        stale = set(self.store.points_of(source)) - set(keep)
        if stale:
            self.wrote = True
            self.store.delete_ids(sorted(stale))

    def count(self, nodes: Iterable[BaseNode]) -> None:
        """Count nodes by modality."""
        for node in nodes:
            self.nodes["image" if isinstance(node, ImageNode) else "text"] += 1

    def stored_below(self, folders: Sequence[Path]) -> list[str]:
        """The stored sources whose files lie, or lay, below the folders."""
        prefixes = tuple(folder.as_posix().rstrip("/") + "/" for folder in folders)
        return sorted(source for source in self.known if prefixes and source.startswith(prefixes))

    def remove_missing(self, found: Survey) -> None:
        """Remove stored sources below the given folders that are no longer files to read.

        What lies below a folder that cannot be listed may well be there, and stays.
        """
        kept = {file.source for file in found.files} - {part.source for part in self.parts}
        kept.update(self.stored_below(found.unlisted))
        for source in self.stored_below(found.folders):
            if source not in kept:
                self.discard(source, keep=())
                self.removed.append(source)
                self.done(source, "removed")
