"""Words that are drawn: read line by line, and only where the extra is there and asked for."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingestion import ocr
from ingestion.ocr import _Box, lines, read_words
from ingestion.readers import read
from rag.corpus import Corpus
from rag.errors import MissingExtra

needs_extra = pytest.mark.skipif(not ocr.available(), reason="the extra [ocr] is not installed")


def written(*places: tuple[int, int, str]) -> Image.Image:
    image = Image.new("RGB", (600, 200), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(28)
    for x, y, text in places:
        pen.text((x, y), text, font=font, fill="black")
    return image


@needs_extra
def test_words_are_read_in_reading_order():
    image = written((300, 100, "42 mm"), (20, 20, "Rainfall by month"), (20, 100, "January"))
    assert read_words(image) == "Rainfall by month\nJanuary 42 mm"


@needs_extra
@pytest.mark.parametrize("size", [(1, 1), (5, 400), (300, 200)])
def test_a_picture_without_words_has_none(size, capfd):
    assert read_words(Image.new("RGB", size, "white")) == ""
    assert capfd.readouterr() == ("", "")


def test_boxes_side_by_side_are_one_line_from_left_to_right():
    boxes = [_Box(200, 11, 31, "c"), _Box(0, 10, 30, "a"), _Box(0, 50, 70, "d"), _Box(100, 8, 28, "b")]
    assert lines(boxes) == ["a b c", "d"]


def test_a_large_word_beside_two_small_lines_does_not_join_them():
    boxes = [_Box(0, 0, 100, "BIG"), _Box(200, 10, 30, "one"), _Box(200, 70, 90, "two")]
    assert lines(boxes) == ["one", "BIG", "two"]


def test_it_is_off_unless_switched_on(monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: True)
    assert not ocr.wanted()
    with ocr.switched(True):
        assert ocr.wanted()
        with ocr.switched(False):
            assert not ocr.wanted()
    assert not ocr.wanted()


def test_switching_it_on_without_the_extra_names_it(monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    with pytest.raises(MissingExtra, match=r"triptych-rag\[ocr\]"), ocr.switched(True):
        pass


@needs_extra
def test_drawn_words_are_read_once_a_picture_and_only_where_it_is_on(tmp_path):
    path = tmp_path / "a.png"
    written((20, 20, "Rainfall by month")).save(path)
    assert read(path).pictures[0].ocr == ""
    with ocr.switched(True):
        assert read(path).pictures[0].ocr == "Rainfall by month"


def test_what_knows_its_words_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: True)
    monkeypatch.setattr(ocr, "_engine", lambda: pytest.fail("it was read"))
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><text y="50">May</text></svg>'
    (tmp_path / "a.svg").write_text(drawing)
    with ocr.switched(True):
        assert read(tmp_path / "a.svg").pictures[0].ocr == "May"


def test_ingesting_with_ocr_but_without_the_extra_names_it_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("Words.")
    with Corpus.open(tmp_path / "corpus", encoder="fake") as corpus:
        with pytest.raises(MissingExtra, match=r"triptych-rag\[ocr\]"):
            corpus.ingest(tmp_path / "in", ocr=True)
        assert corpus.status()["points"] == 0
