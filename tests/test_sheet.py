"""A contact sheet shows every picture among the hits, or says why there is none."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from rag.cli import cli
from rag.errors import InputError
from rag.schema import Hit
from rag.sheet import MOST, check_target, contact_sheet, write_sheet

COLOURS = [(255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 0), (128, 0, 128)]


def hit(image, rank=1, caption="", source="notes.md", **more):
    kind = "image" if image else "text"
    return Hit(rank, str(rank), 1.5, kind, "Words.", caption, str(image), source, None, "", **more)


@pytest.fixture
def pictures(tmp_path):
    files = []
    for number, colour in enumerate(COLOURS):
        files.append(tmp_path / f"{number}.png")
        Image.new("RGB", (60, 40), colour).save(files[-1])
    return files


def centre(sheet, colour):
    """The mean place of the pixels of a colour, as (x, y)."""
    ys, xs = np.nonzero((np.asarray(sheet) == colour).all(axis=2))
    assert len(xs), f"nothing of colour {colour}"
    return xs.mean(), ys.mean()


def test_pictures_stand_in_reading_order_four_in_a_row(pictures):
    sheet = contact_sheet([hit(file, rank) for rank, file in enumerate(pictures, 1)])
    places = [centre(sheet, colour) for colour in COLOURS]
    assert [x for x, _ in places[:4]] == sorted(x for x, _ in places[:4])
    assert len({round(y) for _, y in places[:4]}) == 1
    assert places[4][1] > places[0][1] + 200
    assert places[4][0] == pytest.approx(places[0][0])


def test_passages_are_not_on_a_sheet(pictures):
    assert contact_sheet([hit(""), hit(pictures[0])]).size == contact_sheet([hit(pictures[0])]).size


def test_a_sheet_without_pictures_is_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"no picture is among the 2 hits.*--modality image"):
        contact_sheet([hit(""), hit("")])


def test_transparency_lies_on_white(tmp_path):
    half = Image.new("RGBA", (60, 40), (255, 0, 0, 128))
    half.save(tmp_path / "half.png")
    x, y = centre(contact_sheet([hit(tmp_path / "half.png")]), (255, 127, 127))
    assert (x, y) > (0, 0)


@pytest.mark.parametrize("image", ["lost.png", "https://example.org/a.png", "broken.png", "a\0b.png"])
def test_a_picture_that_is_not_there_leaves_an_empty_frame_with_its_path(tmp_path, monkeypatch, image):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of use")
    without_path = np.asarray(contact_sheet([hit(" " + "\u2003" * 3, source="s")]))
    with_path = np.asarray(contact_sheet([hit(image, source="s")]))
    assert (without_path != with_path).any(axis=2).sum() > 50, "the path is written into the frame"


@pytest.mark.parametrize(
    "words",
    ["Флаг — 旗 علم", "x" * 5000, "word " * 5000, "\x00\x1b[31m\ud800\u202e", "\n\n", "e\u0301\U0001f1e9\U0001f1ff"],
)
def test_any_words_can_be_written(pictures, words):
    plain_size = contact_sheet([hit(pictures[0])], "title").size
    assert contact_sheet([hit(pictures[0], caption=words, source=words)], words or "title").size[0] == plain_size[0]


def test_too_many_pictures_are_refused(pictures):
    with pytest.raises(InputError, match=f"at most {MOST}"):
        contact_sheet([hit(pictures[0])] * (MOST + 1))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".gif", ".pdf", ".PNG"])
def test_a_sheet_is_written_as_its_suffix_says(pictures, tmp_path, suffix):
    file = tmp_path / f"sheet{suffix}"
    assert write_sheet([hit(pictures[0]), hit("")], file) == 1
    if suffix == ".pdf":
        assert file.read_bytes().startswith(b"%PDF")
    else:
        with Image.open(file) as sheet:
            assert sheet.size == contact_sheet([hit(pictures[0])]).size


@pytest.mark.parametrize("name", ["sheet.txt", "sheet", "sheet.svg", "no-folder/sheet.png", "folder.png"])
def test_where_nothing_can_be_written_is_refused_in_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError) as caught:
        check_target(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name.split("/")[0] in str(caught.value)


def test_search_writes_a_sheet_of_the_pictures_among_its_hits(demo_corpus, tmp_path):
    file = tmp_path / "sheet.png"
    arguments = ["search", "rain", "--corpus", str(demo_corpus), "-k", "5", "--modality", "image", "--json"]
    done = CliRunner().invoke(cli, [*arguments, "--sheet", str(file)])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["hits"]) == 5
    assert "5 pictures" in done.stderr
    with Image.open(file) as sheet:
        assert sheet.width > 1000


def test_search_that_cannot_write_its_sheet_ends_in_one_line(demo_corpus, tmp_path):
    asked = ["search", "rain", "--corpus", str(demo_corpus), "-k", "3"]
    refused = CliRunner().invoke(cli, [*asked, "--sheet", str(tmp_path / "sheet.docx")])
    assert (refused.exit_code, refused.stdout) == (1, ""), "refused before the search"
    assert len(refused.stderr.splitlines()) == 1
    empty = CliRunner().invoke(cli, [*asked, "--modality", "text", "--sheet", str(tmp_path / "sheet.png")])
    assert empty.exit_code == 1
    assert "+" in empty.stdout, "the hits are printed all the same"
    assert "no picture is among the 3 hits" in empty.stderr
    assert not (tmp_path / "sheet.png").exists()


def test_a_letter_that_no_font_has_is_written_without_its_accent(monkeypatch):
    from rag import lettering

    monkeypatch.setattr(lettering, "_SYSTEM", ())
    written = lettering.Lettering(["Über—größe"])
    assert written.lines("Über−die—größe", 16, 1000, 1) == ["Uber-die-große"], "ß is no s with an accent"
