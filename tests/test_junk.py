"""Pictures that show nothing are left out by one set of rules, each counted under its reason; words keep a picture."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ingestion.captions import worded
from ingestion.document import Block, ParsedDocument, Picture
from ingestion.junk import without_junk
from ingestion.picture import inspect
from ingestion.readers import read
from rag.pictures import open_picture


def shape(width: int, height: int, seed: int = 0, flat: bool = False) -> Image.Image:
    image = Image.new("RGB", (width, height), (200, 30 + seed * 7 % 200, 40))
    if not flat:
        ImageDraw.Draw(image).rectangle((0, 0, width // 2, height // 2), fill=(seed * 31 % 256, 0, 90))
    return image


def picture(width: int, height: int, seed: int = 0, *, flat: bool = False, **said: object) -> Picture:
    buffer = BytesIO()
    shape(width, height, seed, flat).save(buffer, "PNG")
    return replace(worded(buffer.getvalue(), inspect(buffer.getvalue())), **said)


def document(*items: Block | Picture, mime: str = "text/html") -> ParsedDocument:
    return without_junk(ParsedDocument("t", mime, items))


@pytest.mark.parametrize(
    ("width", "height", "flat", "reason"),
    [
        (1, 1, True, "at most 2×2 pixels"),
        (600, 3, False, "smaller than 16 pixels and without words"),
        (15, 300, False, "smaller than 16 pixels and without words"),
        (200, 100, True, "of a single colour"),
        (24, 24, False, "an icon without words (at most 24 pixels, 64 where repeated)"),
    ],
)
def test_a_spacer_a_rule_an_icon_and_an_empty_picture_are_left_out(width, height, flat, reason):
    found = document(picture(width, height, flat=flat))
    assert (found.pictures, found.left_out) == ((), {reason: 1})
    assert [(str(warning.what), warning.reason) for warning in found.warnings] == [("1 picture", reason)]


@pytest.mark.parametrize("size", [(16, 25), (25, 16), (40, 40), (300, 200)])
def test_what_shows_something_stays(size):
    assert len(document(picture(*size)).pictures) == 1


@pytest.mark.parametrize("size", [(3, 3), (600, 3), (20, 20)])
@pytest.mark.parametrize("said", [{"alt": "meant"}, {"caption": "meant"}])
def test_words_keep_a_picture(size, said):
    assert len(document(picture(*size, flat=True, **said)).pictures) == 1


def test_a_speck_with_words_leaves_its_words():
    found = document(Block("before"), picture(1, 1, alt="meant", page=3))
    assert found.pictures == ()
    assert [(block.text, block.kind, block.page) for block in found.blocks] == [
        ("before", "paragraph", None),
        ("meant", "caption", 3),
    ]


def test_a_small_picture_that_is_repeated_is_an_icon():
    found = document(picture(50, 50), Block("a"), picture(50, 50), picture(60, 60, seed=1))
    assert [item.width for item in found.pictures] == [60]
    assert sum(found.left_out.values()) == 2


def test_a_picture_shown_again_without_words_is_kept_once():
    found = document(picture(300, 200), Block("a"), picture(300, 200), picture(300, 200))
    assert (len(found.pictures), found.left_out) == (1, {"shown before in this document": 2})


def test_a_picture_shown_again_with_other_words_keeps_each_place_that_has_words():
    found = document(picture(300, 200), picture(300, 200, alt="one"), picture(300, 200, alt="two"))
    assert [item.alt for item in found.pictures] == ["one", "two"]


def on_pages(count: int, every: int = 1, **said: object) -> ParsedDocument:
    items: list[Block | Picture] = []
    for page in range(1, count + 1):
        items.append(Block(f"page {page}", page=page))
        if page % every == 0:
            items.append(picture(300, 100, page=page, **said))
    return document(*items, mime="application/pdf")


def test_a_logo_on_half_of_the_pages_is_left_out_altogether():
    reason = "a logo or background, on half of the pages or more"
    assert on_pages(6).left_out == {reason: 6}
    assert on_pages(6, every=2).left_out == {reason: 3}


def test_a_picture_on_fewer_pages_or_in_a_short_document_is_kept_once():
    assert len(on_pages(9, every=3).pictures) == 1
    assert len(on_pages(3).pictures) == 1


def test_a_picture_with_words_on_every_page_is_no_logo():
    assert len(on_pages(6, alt="The board").pictures) == 6


def strips(count: int) -> tuple[Image.Image, list[Picture]]:
    whole = shape(600, 40 * count)
    pen = ImageDraw.Draw(whole)
    for index in range(count):
        pen.ellipse((index * 50, index * 40 + 5, index * 50 + 90, index * 40 + 35), fill="white")
    found = []
    for index in range(count):
        buffer = BytesIO()
        whole.crop((0, index * 40, 600, index * 40 + 40)).save(buffer, "PNG")
        found.append(worded(buffer.getvalue(), inspect(buffer.getvalue())))
    return whole, found


def test_slices_are_put_together_again():
    whole, parts = strips(5)
    found = document(Block("before"), *parts, Block("after"))
    (joined,) = found.pictures
    assert (joined.width, joined.height) == whole.size
    assert open_picture(joined.data).tobytes() == whole.tobytes()
    assert [type(item).__name__ for item in found.items] == ["Block", "Picture", "Block"]
    assert found.left_out == {"slices of a picture that was cut into strips, put together again": 5}


def test_strips_that_do_not_follow_each_other_are_no_slices():
    _, parts = strips(4)
    found = document(parts[0], Block("a"), parts[1], Block("b"), parts[2], parts[3])
    assert len(found.pictures) == 4


def test_rules_between_paragraphs_are_no_slices():
    items = [item for index in range(5) for item in (Block(str(index)), picture(600, 2, seed=index))]
    assert document(*items).pictures == ()


def test_a_picture_file_is_never_junk(tmp_path: Path):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    assert len(read(tmp_path / "dot.png").pictures) == 1


def test_it_is_idempotent():
    once = document(picture(1, 1), picture(300, 200), picture(300, 200), Block("a"))
    assert without_junk(once) == once
