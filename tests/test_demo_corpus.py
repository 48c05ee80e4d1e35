"""The shipped demo corpus is what its script builds, and holds what the demo needs."""

from __future__ import annotations

import io
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from docx import Document
from PIL import Image
from pptx import Presentation

from rag.demo import FILES, QUESTIONS
from scripts import build_demo
from scripts.demo import pictures

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg"}
SHIPPED = sorted(path.relative_to(FILES).as_posix() for path in FILES.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    build_demo.build(folder)
    return folder


def test_building_twice_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    pictures.painted.cache_clear()
    build_demo.build(tmp_path)
    for name in SHIPPED:
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes(), name


def test_the_script_builds_exactly_the_files_that_are_shipped(built: Path) -> None:
    assert sorted(path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_has_the_content_that_the_script_builds(name: str, built: Path) -> None:
    """Bytes depend on the versions of zlib, FreeType and the writers; words and pictures must not."""
    shipped, rebuilt = FILES / name, built / name
    if shipped.read_bytes() == rebuilt.read_bytes():
        return
    assert words(shipped) == words(rebuilt)
    ours, theirs = images(shipped), images(rebuilt)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.size == other.size
        assert np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean() < 3.0


def words(path: Path) -> str:
    """The text of a file, white space made even; empty for a picture."""
    match path.suffix:
        case ".pdf":
            with pypdfium2.PdfDocument(path) as document:
                text = " ".join(page.get_textpage().get_text_range() for page in document)
        case ".docx":
            text = " ".join(paragraph.text for paragraph in Document(str(path)).paragraphs)
        case ".pptx":
            text = " ".join(
                f"{' '.join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)} "
                f"{slide.notes_slide.notes_text_frame.text if slide.has_notes_slide else ''}"
                for slide in Presentation(str(path)).slides
            )
        case suffix if suffix in PICTURE_SUFFIXES:
            text = ""
        case _:
            text = path.read_text(encoding="utf-8")
    return " ".join(text.split())


def images(path: Path) -> list[Image.Image]:
    """The raster pictures inside a file, RGB, in its order."""
    if path.suffix in PICTURE_SUFFIXES:
        return [Image.open(path).convert("RGB")]
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as document:
            return [
                item.get_bitmap().to_pil().convert("RGB")
                for page in document
                for item in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
            ]
    if path.suffix in {".docx", ".pptx"}:
        with zipfile.ZipFile(path) as package:
            members = sorted(name for name in package.namelist() if "/media/" in name)
            return [Image.open(io.BytesIO(package.read(name))).convert("RGB") for name in members]
    return []


def test_the_corpus_mixes_every_format() -> None:
    documents = [Path(name) for name in SHIPPED if "/" not in name and not name.endswith(".txt")]
    counts = {
        suffix: sum(path.suffix == suffix for path in documents) for suffix in {path.suffix for path in documents}
    }
    assert counts == {".pdf": 2, ".html": 2, ".md": 3, ".docx": 2, ".pptx": 1, ".png": 1, ".jpg": 2}


def test_the_corpus_is_smaller_than_two_megabytes() -> None:
    assert sum((FILES / name).stat().st_size for name in SHIPPED) < 2_000_000


@pytest.mark.parametrize("document", build_demo.DOCUMENTS)
def test_a_document_has_two_hundred_to_six_hundred_words(document: str) -> None:
    text = (
        re.sub(r"<style>.*?</style>|<[^>]+>", " ", (FILES / document).read_text()) if document.endswith(".html") else ""
    )
    assert 200 <= len((text or words(FILES / document)).split()) <= 600


@pytest.mark.parametrize("name", sorted(pictures.PAINTERS))
def test_a_picture_is_wide_enough_to_be_read_and_drawn_only_if_it_is_used(name: str) -> None:
    used = "".join((build_demo.CONTENT / f"{Path(d).stem}.md").read_text() for d in build_demo.DOCUMENTS)
    assert 600 <= pictures.painted(name).width <= 1200
    assert f"({name} " in used or name in build_demo.SIDECARS or name in build_demo.DESCRIBED


def test_every_linked_picture_exists_and_has_an_alt_text_and_a_caption() -> None:
    linked = set()
    for path in FILES.glob("*.md"):
        for alt, target, title in re.findall(r'!\[(.*?)\]\((\S+) "(.*?)"\)', path.read_text(encoding="utf-8")):
            assert alt, path.name
            assert title, path.name
            linked.add(target)
    for path in FILES.glob("*.html"):
        page = _Figures()
        page.feed(path.read_text(encoding="utf-8"))
        assert page.sources
        assert len(page.sources) == page.captions
        assert all(page.alts)
        linked.update(page.sources)
    assert linked == {name for name in SHIPPED if name.startswith("pictures/")}


class _Figures(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.alts: list[str] = []
        self.captions = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.captions += tag == "figcaption"
        if tag == "img":
            self.sources.append(dict(attrs)["src"] or "")
            self.alts.append(dict(attrs)["alt"] or "")


@pytest.mark.parametrize("name", ["keepers-handbook.docx", "signal-book.docx"])
def test_every_picture_of_a_docx_has_an_alt_text_and_a_caption(name: str) -> None:
    document = Document(str(FILES / name))
    alts = [shape._inline.docPr.get("descr") for shape in document.inline_shapes]
    captions = [paragraph for paragraph in document.paragraphs if paragraph.style.name == "Caption"]
    assert len(alts) == len(captions) == 2
    assert all(alts)


def test_the_slides_have_titles_notes_and_described_pictures() -> None:
    slides = list(Presentation(str(FILES / "power-and-water.pptx")).slides)
    alts = [
        shape._element.nvPicPr.cNvPr.get("descr")
        for slide in slides
        for shape in slide.shapes
        if shape.shape_type == 13
    ]
    assert all(slide.shapes.title.text for slide in slides)
    assert sum(slide.has_notes_slide for slide in slides) == 4
    assert len(alts) == 2
    assert all(alts)


@pytest.mark.parametrize(("name", "figures"), [("lighthouse-history.pdf", 2), ("weather-year.pdf", 3)])
def test_every_picture_of_a_pdf_has_a_numbered_caption(name: str, figures: int) -> None:
    assert len(images(FILES / name)) == figures
    assert re.findall(r"Figure (\d): ", words(FILES / name)) == [str(number + 1) for number in range(figures)]


def test_a_picture_by_itself_has_its_words_beside_it_or_in_it() -> None:
    for path in (path for path in FILES.iterdir() if path.suffix in PICTURE_SUFFIXES):
        sidecar = path.with_suffix(".txt")
        described = Image.open(path).getexif().get(pictures.IMAGE_DESCRIPTION, "")
        assert len(described or sidecar.read_text(encoding="utf-8")) > 40, path.name


def test_office_files_carry_no_clock_time_and_no_picture_of_their_template() -> None:
    for name in (name for name in SHIPPED if name.endswith((".docx", ".pptx"))):
        with zipfile.ZipFile(FILES / name) as package:
            assert {member.date_time for member in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert "docProps/thumbnail.jpeg" not in package.namelist()
            assert b"thumbnail" not in package.read("_rels/.rels")


def test_the_questions_need_a_passage_a_picture_and_both_in_turn() -> None:
    assert [question.needs for question in QUESTIONS] == ["passage", "picture", "both"]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.needs)
def test_the_expected_words_of_a_question_stand_in_its_sources(question) -> None:
    text = " ".join(words(FILES / name) for name in question.expect_sources)
    assert all(word in text for word in question.expect_words)


def test_no_text_gives_away_what_only_a_picture_shows() -> None:
    """The wettest month and the look of the flag must be seen, so they are written nowhere."""
    texts = {name: words(FILES / name) for name in SHIPPED}
    rain = re.compile(r"wettest month|October[^.]*\brain|\brain[^.]*October|\b131\b", re.IGNORECASE)
    assert not [name for name, text in texts.items() if rain.search(text)]
    assert not re.search(r"yellow|black|diamond|lozenge", texts["signal-book.docx"])
