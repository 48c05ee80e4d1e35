"""Ingestion end to end: the same rules over a store in memory and over the real embedded engine."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import BaseNode, ImageNode, MetadataMode, NodeRelationship
from PIL import Image

from ingestion import pipeline
from ingestion.assets import PictureStore
from ingestion.nodes import document_id, embedding_text
from ingestion.pipeline import ingest
from ingestion.report import IngestReport, ProgressEvent
from ingestion.workers import InProcess, ReaderPool
from rag.errors import InputError, PictureError
from rag.schema import PAYLOAD_TYPES, Fingerprint

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


class WordEncoder:
    """Vectors of a text and of a picture are drawn from their digests: equal in, equal out."""

    text_window = 40

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.images: list[str] = []
        self.refused: set[str] = set()

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def encode_texts(self, texts: Sequence[str]) -> Any:
        self.texts += texts
        return np.stack([self._vector(text.encode()) for text in texts])

    def encode_images(self, images: Sequence[Any]) -> Any:
        self.images += map(str, images)
        if self.refused & {Path(image).stem for image in images}:
            raise PictureError("refused")
        return np.stack([self._vector(Path(image).read_bytes()) for image in images])

    def _vector(self, data: bytes) -> Any:
        seed = int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
        vector = np.random.default_rng(seed).normal(size=64).astype(np.float32)
        return vector / np.linalg.norm(vector)


class DictStore:
    """The store's promises, kept by a dictionary."""

    def __init__(self) -> None:
        self.nodes: dict[str, BaseNode] = {}

    def sources(self) -> Mapping[str, Any]:
        grouped: dict[str, list[BaseNode]] = {}
        for node in self.nodes.values():
            grouped.setdefault(node.metadata["source"], []).append(node)
        return {source: self._state(nodes) for source, nodes in grouped.items()}

    def _state(self, nodes: list[BaseNode]) -> Any:
        revisions = {node.metadata["revision"] for node in nodes}
        expected = {node.metadata["doc_nodes"] for node in nodes}
        return SimpleNamespace(
            revision=revisions.pop() if len(revisions) == 1 else None,
            nodes=len(nodes),
            expected=expected.pop() if len(expected) == 1 else None,
            pictures=[node.image_path or "" for node in nodes if isinstance(node, ImageNode)],
        )

    def points_of(self, source: str) -> set[str]:
        return {node.node_id for node in self.nodes.values() if node.metadata["source"] == source}

    def get_nodes(self, node_ids: list[str] | None = None, *, with_vectors: bool = True) -> list[BaseNode]:
        return [node for key, node in sorted(self.nodes.items()) if node_ids is None or key in node_ids]

    def add(self, nodes: Sequence[BaseNode]) -> list[str]:
        self.nodes |= {node.node_id: node.model_copy(deep=True) for node in nodes}
        return [node.node_id for node in nodes]

    def delete_ids(self, ids: Iterable[str]) -> None:
        for key in ids:
            del self.nodes[key]

    def optimize(self) -> None:
        pass


@dataclass
class World:
    """Everything an ingestion needs, and a folder to ingest."""

    store: Any
    folder: Path
    pictures: PictureStore
    encoder: WordEncoder = field(default_factory=WordEncoder)

    def run(self, *paths: str | Path, **options: Any) -> IngestReport:
        given = paths or (self.folder,)
        wired = {"encoder": self.encoder, "store": self.store, "pictures": self.pictures, "readers": InProcess()}
        return ingest(given, **{**wired, **options})

    def nodes(self, name: str | None = None) -> list[Any]:
        source = None if name is None else (self.folder / name).resolve().as_posix()
        found = [node for node in self.store.get_nodes() if source in (None, node.metadata["source"])]
        return sorted(found, key=lambda node: (node.metadata["source"], node.metadata["position"]))


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, PictureStore]]:
    """One embedded collection for all tests: making it costs seconds, emptying it nothing."""
    rag_store = importlib.import_module("rag.store")
    if not hasattr(rag_store, "NamedVectorStore"):
        pytest.skip("rag.store.NamedVectorStore is not here")
    corpus = tmp_path_factory.mktemp("corpus")
    pictures = PictureStore(corpus / "pictures")
    fingerprint = Fingerprint("words", "0" * 64, 64, "none")
    with rag_store.NamedVectorStore.open(
        path=corpus / "index", fingerprint=fingerprint, pictures_root=pictures.root
    ) as store:
        yield store, pictures


@pytest.fixture(params=["dict", "edge"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    folder = tmp_path / "in"
    folder.mkdir()
    if request.param == "dict":
        return World(DictStore(), folder, PictureStore(tmp_path / "pictures"))
    store, pictures = request.getfixturevalue("edge")
    store.clear()
    return World(store, folder, pictures)


def png(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (20, 30), colour).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


PAGE = "# Rain\n\nIt rained.\n\n![Red bars](fig/red.png){alt='bars'}\n\n## Later\n\nIt stopped.\n"


@pytest.fixture
def filled(world: World) -> World:
    """A folder with a bit of everything, over each store."""
    return fill(world)


@pytest.fixture
def quick(tmp_path: Path) -> World:
    """The same where the store does not matter."""
    return fill(World(DictStore(), tmp_path / "in", PictureStore(tmp_path / "pictures")))


def fill(world: World) -> World:
    write(world.folder / "a.md", PAGE)
    write(world.folder / "fig/red.png", png("red"))
    write(world.folder / "b.txt", "Plain words.")
    write(world.folder / "c.png", png("blue"))
    write(world.folder / "c.txt", "A blue box")
    write(world.folder / "d.xyz", "x")
    write(world.folder / ".hidden.txt", "unseen")
    return world


def counts(report: IngestReport) -> dict[str, int]:
    return {key: value for key, value in report.sources.to_json().items() if value}


def test_a_folder_is_ingested_and_every_file_accounted_for(filled: World):
    report = filled.run()
    assert counts(report) == {"added": 3, "skipped": 1}
    assert (report.texts, report.images) == (3, 2)
    assert [(Path(skip.source).name, skip.reason) for skip in report.skips] == [("d.xyz", "no reader for .xyz")]
    assert {Path(part.source).name: part.reason for part in report.parts} == {
        "c.txt": "the caption of c.png",
        "red.png": "part of a.md, which shows it",
    }
    assert set(report.to_json()) >= {"corpus", "encoder", "sources", "nodes", "failures", "seconds"}
    assert json.loads(json.dumps(report.to_json()))["nodes"] == {"text": 3, "image": 2}


def test_nodes_carry_the_keys_of_the_schema(filled: World):
    filled.run(metadata={"team": "north", "year": 2024})
    text, image, later = filled.nodes("a.md")
    source = (filled.folder / "a.md").resolve().as_posix()
    assert (text.text, later.text, image.text) == ("Rain\nIt rained.", "Later\nIt stopped.", "Red bars")
    own = {"revision", "doc_nodes", "caption", "alt", "team", "year"}
    for node in (text, image, later):
        assert set(node.metadata) - {"image_uri"} <= {*PAYLOAD_TYPES, *own}
        assert node.metadata["source"] == source
        assert (node.metadata["doc_nodes"], node.metadata["team"], node.metadata["year"]) == (3, "north", 2024)
        assert node.ref_doc_id == document_id(source) == str(uuid.uuid5(uuid.NAMESPACE_URL, source))
        assert "page" not in node.metadata
    assert [node.metadata["position"] for node in (text, image, later)] == [0, 1, 2]
    assert (image.metadata["caption"], image.metadata["caption_source"]) == ("Red bars", "caption")
    assert (image.metadata["alt"], later.metadata["section"]) == ("bars", "Rain › Later")
    assert (image.metadata["width"], image.metadata["height"], image.metadata["title"]) == (20, 30, "Rain")
    assert Path(image.image_path).read_bytes() == png("red")
    assert image.metadata["image_sha256"] == Path(image.image_path).stem


def test_neighbours_are_linked(filled: World):
    filled.run()
    text, image, later = filled.nodes("a.md")
    assert (text.next_node.node_id, later.prev_node.node_id) == (later.node_id, text.node_id)
    assert image.prev_node.node_id == text.node_id
    assert NodeRelationship.NEXT not in image.relationships, "what follows is of another section"


def test_a_language_model_sees_no_bookkeeping(quick: World):
    quick.run(metadata={"team": "north"})
    text = quick.nodes("a.md")[0].get_content(MetadataMode.LLM)
    assert "team: north" in text
    assert "title: Rain" in text
    assert not any(key in text for key in ("revision", "sha256", "doc_nodes", "position", "source"))


def test_each_leg_gets_its_vector(filled: World):
    filled.run()
    text, image, _ = filled.nodes("a.md")
    encoder = WordEncoder()
    np.testing.assert_allclose(text.embedding, encoder.encode_texts([text.text])[0], atol=1e-6)
    np.testing.assert_allclose(image.text_embedding, encoder.encode_texts([image.text])[0], atol=1e-6)
    np.testing.assert_allclose(image.embedding, encoder.encode_images([image.image_path])[0], atol=1e-6)


def test_ingesting_again_touches_nothing(filled: World):
    first = filled.run()
    before = [(node.node_id, node.metadata) for node in filled.nodes()]
    filled.encoder.texts.clear()
    filled.encoder.images.clear()
    again = filled.run()
    assert counts(again) == {"unchanged": 3, "skipped": 1}
    assert (again.texts, again.images) == (first.texts, first.images)
    assert (filled.encoder.texts, filled.encoder.images) == ([], [])
    assert [(node.node_id, node.metadata) for node in filled.nodes()] == before


@pytest.mark.parametrize(
    ("name", "content", "updated"),
    [
        ("a.md", PAGE.replace("stopped", "went on"), "a.md"),
        ("fig/red.png", png("green"), "a.md"),
        ("c.txt", "A deep blue box", "c.png"),
    ],
)
def test_a_change_in_a_file_or_what_belongs_to_it_replaces_its_nodes(
    filled: World, name: str, content: str | bytes, updated: str
):
    filled.run()
    before, kept = len(filled.nodes()), {node.node_id for node in filled.nodes("b.txt")}
    write(filled.folder / name, content)
    report = filled.run()
    assert counts(report) == {"updated": 1, "unchanged": 2, "skipped": 1}
    assert len(filled.nodes()) == before
    assert len({node.metadata["revision"] for node in filled.nodes(updated)}) == 1
    assert {node.node_id for node in filled.nodes("b.txt")} == kept


def test_a_shorter_document_leaves_no_stale_nodes(filled: World):
    filled.run()
    write(filled.folder / "a.md", "Short.")
    filled.run(filled.folder / "a.md")
    assert [node.text for node in filled.nodes("a.md")] == ["Short."]


def test_other_metadata_is_a_change(filled: World):
    filled.run(metadata={"team": "north"})
    assert counts(filled.run(metadata={"team": "south"}))["updated"] == 3
    assert {node.metadata["team"] for node in filled.nodes()} == {"south"}


def test_the_new_is_written_before_the_stale_is_removed(filled: World, monkeypatch: pytest.MonkeyPatch):
    filled.run()
    old = {node.node_id for node in filled.nodes("a.md")}
    write(filled.folder / "a.md", PAGE.replace("rained", "poured").replace("stopped", "went on"))
    with monkeypatch.context() as patch:
        patch.setattr(type(filled.store), "delete_ids", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            filled.run()
    assert old < {node.node_id for node in filled.nodes("a.md")}
    report = filled.run()
    assert counts(report) == {"updated": 1, "unchanged": 2, "skipped": 1}
    assert len(filled.nodes("a.md")) == 3


def _interrupt(self: object, ids: object) -> None:
    raise KeyboardInterrupt


def test_an_incomplete_source_is_done_again(filled: World):
    filled.run()
    filled.store.delete_ids([filled.nodes("a.md")[1].node_id])
    assert counts(filled.run())["updated"] == 1
    assert len(filled.nodes("a.md")) == 3


def test_a_missing_file_is_removed_only_when_asked(filled: World):
    write(filled.folder.parent / "outside.txt", "Outside.")
    filled.run(filled.folder, filled.folder.parent / "outside.txt")
    (filled.folder / "a.md").unlink()
    (filled.folder.parent / "outside.txt").unlink()
    assert counts(filled.run()) == {"added": 1, "unchanged": 2, "skipped": 1}, "the picture is now a source of its own"
    assert len(filled.nodes("a.md")) == 3
    report = filled.run(remove_missing=True)
    assert counts(report) == {"unchanged": 3, "removed": 1, "skipped": 1}
    assert [Path(source).name for source in report.removed] == ["a.md"]
    assert filled.nodes("a.md") == []
    assert len(filled.nodes("../outside.txt")) == 1


def test_all_files_gone_can_be_removed_too(filled: World):
    filled.run()
    for path in sorted(filled.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert counts(filled.run(remove_missing=True)) == {"removed": 3}
    assert filled.nodes() == []


def test_an_unreadable_file_is_reported_and_the_rest_goes_on(quick: World):
    write(quick.folder / "broken.pdf", "%PDF-1.4 nothing")
    write(quick.folder / "cut.png", png("red")[:40])
    report = quick.run()
    assert counts(report) == {"added": 3, "skipped": 1, "failed": 2}
    assert [(Path(f.source).name, f.error) for f in report.failures] == [
        ("broken.pdf", "SourceError"),
        ("cut.png", "SourceError"),
    ]
    assert all("\n" not in failure.message for failure in report.failures)


def test_a_file_that_became_unreadable_keeps_its_nodes(filled: World):
    filled.run()
    before = [node.node_id for node in filled.nodes("c.png")]
    write(filled.folder / "c.png", png("blue")[:40])
    assert counts(filled.run(remove_missing=True))["failed"] == 1
    assert [node.node_id for node in filled.nodes("c.png")] == before != []


def test_a_file_that_became_empty_loses_its_nodes(filled: World):
    filled.run()
    write(filled.folder / "b.txt", " \n")
    report = filled.run()
    assert "neither text nor pictures in it" in [skip.reason for skip in report.skips]
    assert filled.nodes("b.txt") == []


def test_a_picture_that_the_encoder_refuses_fails_its_document_alone(quick: World):
    quick.encoder.refused = {hashlib.sha256(png("blue")).hexdigest()}
    report = quick.run()
    assert counts(report) == {"added": 2, "skipped": 1, "failed": 1}
    assert (report.failures[0].error, Path(report.failures[0].source).name) == ("PictureError", "c.png")


def test_a_lost_picture_is_a_warning(quick: World):
    write(quick.folder / "a.md", "![words](https://example.org/x.png)")
    report = quick.run()
    assert [(w.what, w.reason) for w in report.warnings] == [
        ("picture https://example.org/x.png", "remote, fetched only when asked: --fetch-pictures")
    ]
    assert [node.text for node in quick.nodes("a.md")] == ["words"]


def test_a_file_given_twice_counts_once(quick: World):
    path = quick.folder / "b.txt"
    assert counts(quick.run(path, path, str(path), quick.folder / "fig" / ".." / "b.txt")) == {"added": 1}


def test_a_picture_named_by_the_user_is_a_source_even_where_a_document_shows_it(quick: World):
    assert counts(quick.run(quick.folder, quick.folder / "fig/red.png"))["added"] == 4


def test_paths_that_do_not_exist_are_refused_before_anything_is_done(quick: World):
    with pytest.raises(InputError, match=r"nowhere\.txt does not exist"):
        quick.run(quick.folder, quick.folder / "nowhere.txt")
    assert quick.nodes() == []


def test_a_folder_without_anything_readable_is_refused_in_one_line(quick: World):
    write(quick.folder / "empty/d.xyz", "x")
    with pytest.raises(InputError, match="nothing readable") as caught:
        quick.run(quick.folder / "empty")
    assert "\n" not in str(caught.value)
    assert "no reader for .xyz" in str(caught.value)


def test_nothing_to_read_is_an_outcome_where_what_is_gone_is_removed(quick: World):
    write(quick.folder / "empty/a.txt", "words")
    quick.run(quick.folder / "empty")
    (quick.folder / "empty/a.txt").unlink()
    assert [counts(quick.run(quick.folder / "empty", remove_missing=True)).get("removed", 0) for _ in range(2)] == [
        1,
        0,
    ]


def test_links_out_of_the_folder_are_not_followed(quick: World):
    write(quick.folder.parent / "secret.txt", "secret")
    (quick.folder / "link.txt").symlink_to(quick.folder.parent / "secret.txt")
    report = quick.run()
    assert "a link that leads out of the folder, or nowhere" in [skip.reason for skip in report.skips]
    assert not any("secret" in node.text for node in quick.nodes())


def test_names_that_are_not_utf_8_are_failed_with_a_reason(quick: World):
    try:
        write(Path(os.fsdecode(os.fsencode(quick.folder) + b"/\xff.txt")), "odd")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    report = quick.run()
    assert ["the name is not UTF-8" in str(failure) for failure in report.failures] == [True]
    assert json.dumps(report.to_json(), ensure_ascii=False).encode()


UNSTORABLE = [{"a": 2**63}, {"a": float("nan")}, {"a": [1.0, float("inf")]}, {"a": "\udcff"}, {"\udcff": 1}, {1: 1}]


@pytest.mark.parametrize(
    "metadata", [{"source": "x"}, {"_x": 1}, {"": 1}, {"a": {"b": 1}}, {"a": None}, {"caption": ""}, *UNSTORABLE]
)
def test_metadata_that_cannot_be_stored_is_refused(quick: World, metadata: dict[str, Any]):
    with pytest.raises(InputError, match="metadata"):
        quick.run(metadata=metadata)


def test_what_is_unchanged_costs_the_store_no_question_of_its_own(filled: World, monkeypatch: pytest.MonkeyPatch):
    filled.run()
    asked: list[str] = []
    for name in ("points_of", "get_nodes", "add", "delete_ids"):
        monkeypatch.setattr(type(filled.store), name, lambda *_, name=name, **__: asked.append(name))
    report = filled.run()
    assert report.sources.unchanged == 3
    assert report.images > 0
    assert asked == []


def test_a_lost_picture_file_is_made_again(filled: World):
    filled.run()
    before = {node.node_id for node in filled.nodes()}
    picture = next(Path(node.image_path) for node in filled.nodes() if isinstance(node, ImageNode))
    picture.unlink()
    assert counts(filled.run())["updated"] >= 1
    assert picture.is_file()
    assert {node.node_id for node in filled.nodes()} == before


def test_what_lies_below_a_folder_that_cannot_be_listed_is_not_missing(quick: World, monkeypatch: pytest.MonkeyPatch):
    write(quick.folder / "closed" / "inner.txt", "some words")
    quick.run()
    scandir = os.scandir

    def closed(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    report = quick.run(remove_missing=True)
    assert not report.removed
    assert ["the folder cannot be listed (Permission denied)" in str(failure) for failure in report.failures] == [True]
    assert quick.nodes("closed/inner.txt")


def test_a_broken_link_whose_name_is_not_utf_8_is_reported_in_utf_8(quick: World):
    try:
        os.symlink("nowhere", os.fsencode(quick.folder) + b"/\xff.txt")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    assert json.dumps(quick.run().to_json(), ensure_ascii=False).encode()


def test_a_failure_names_its_source_once_and_in_one_line(quick: World):
    write(quick.folder / "two\nlines.pdf", "no pdf")
    (failure,) = quick.run().failures
    assert str(failure).count("lines.pdf") == 1
    assert "\n" not in str(failure)


def test_progress_counts_every_file_to_the_end(quick: World):
    events: list[ProgressEvent] = []
    quick.run(progress=events.append)
    assert [event.done for event in events] == list(range(1, 5))
    assert events[-1].total == 4
    assert sorted(event.outcome for event in events) == ["added"] * 3 + ["skipped"]


def test_a_renamed_file_is_a_new_source_and_its_old_name_goes_when_asked(filled: World):
    filled.run()
    (filled.folder / "b.txt").rename(filled.folder / "z.txt")
    report = filled.run(remove_missing=True)
    assert (report.sources.added, report.sources.removed, report.sources.unchanged) == (1, 1, 2)
    assert [node.text for node in filled.nodes("z.txt")] == ["Plain words."]
    assert filled.nodes("b.txt") == []


def test_files_of_the_same_content_are_sources_of_their_own(filled: World):
    write(filled.folder / "copy.txt", "Plain words.")
    filled.run()
    (one,), (other,) = filled.nodes("b.txt"), filled.nodes("copy.txt")
    assert one.text == other.text
    assert one.node_id != other.node_id


def test_with_reader_processes_the_outcome_is_the_same_point_by_point(filled: World):
    for number in range(12):
        write(filled.folder / f"more/{number}.md", PAGE.replace("rained", f"rained {number} times"))
    write(filled.folder / "broken.pdf", "%PDF-1.4 nothing")
    write(filled.folder / "more/fig/red.png", png("red"))

    def run(**options: Any) -> Any:
        filled.store.delete_ids([node.node_id for node in filled.nodes()])
        report = replace(filled.run(**options), seconds=0.0, waited=0.0)
        nodes = [(node.node_id, node.embedding, {**node.metadata, "ingested_at": ""}) for node in filled.nodes()]
        return report, nodes

    with ReaderPool(3) as pool:
        assert run(readers=pool) == run()


def test_memory_is_bounded_by_flushing(quick: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline, "FLUSH_NODES", 2)
    sizes: list[int] = []
    add = type(quick.store).add

    def spy(self: Any, nodes: Sequence[BaseNode]) -> list[str]:
        sizes.append(len(nodes))
        return add(self, nodes)

    monkeypatch.setattr(type(quick.store), "add", spy)
    assert quick.run().texts == 3
    assert max(sizes) == 2


def test_the_heading_is_embedded_with_a_passage_that_does_not_begin_with_it():
    def node(text: str, section: str) -> Any:
        return SimpleNamespace(text=text, metadata={"section": section, "title": "Book"})

    def spans(text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+", text)]

    assert embedding_text(node("It rained.", "Year › Rain"), spans, 10) == "Rain: It rained."
    assert embedding_text(node("It rained.", ""), spans, 10) == "Book: It rained."
    assert embedding_text(node("Rain\nIt rained.", "Year › Rain"), spans, 10) == "Rain\nIt rained."
    assert embedding_text(node("It rained.", "Year › Rain"), spans, 2) == "It rained."


@pytest.mark.slow
def test_a_real_course_is_ingested_and_then_unchanged(world: World):
    docs = SHARED / "markdown-image-processing" / "docs"
    if not docs.is_dir():
        pytest.skip("markdown-image-processing is not here")
    first = world.run(docs)
    points = len(world.nodes())
    again = world.run(docs)
    assert first.sources.failed == again.sources.failed == 0
    assert again.sources.unchanged == first.sources.added > 10
    assert (again.texts, again.images, len(world.nodes())) == (first.texts, first.images, points)
    assert all(os.path.isfile(node.image_path) for node in world.nodes() if isinstance(node, ImageNode))


def test_what_stands_above_the_first_heading_has_the_title_as_its_section(quick: World):
    write(quick.folder / "intro.md", "---\ntitle: Blurring\n---\n\nBefore any heading.\n\n## Methods\n\nGaussian.\n")
    quick.run(quick.folder / "intro.md")
    assert [node.metadata["section"] for node in quick.nodes("intro.md")] == ["Blurring", "Methods"]
