"""Readers of text, Markdown, HTML and picture files: what the file has is kept, what is not kept is named."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from ingestion.document import Block, Picture
from ingestion.readers import READERS, linked_files, read, reader_name
from rag.errors import SourceError


def png(colour: str = "red", size: tuple[int, int] = (20, 30), **save: object) -> bytes:
    """A picture of two colours: one of a single colour would be junk."""
    buffer = BytesIO()
    image = Image.new("RGB", size, colour)
    image.paste("black", (0, 0, size[0] // 2, size[1] // 2))
    image.save(buffer, "PNG", **save)
    return buffer.getvalue()


def texts(path: Path) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in read(path).items if isinstance(item, Block)]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252"])
def test_text_is_read_in_any_encoding(tmp_path: Path, encoding: str):
    words = "Größe und Länge der Brücke über den Fluß. " * 4
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    path = write(tmp_path / "a.txt", mark + words.encode(encoding))
    assert texts(path) == [("paragraph", words.strip())]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        *(
            (name, "Größe und Länge der Brücke.")
            for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp1252")
        ),
        ("cp1252", "L’été, les élèves français sont à la plage où ça brûle."),
        ("koi8-r", "Съешь же ещё этих мягких французских булок да выпей чаю. Дождь шёл весь май. " * 3),
        ("cp1251", "Съешь же ещё этих мягких французских булок да выпей чаю. Дождь шёл весь май. " * 3),
        ("shift_jis", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"),
        (
            "euc_jp",
            "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。薄暗い所でニャーニャー泣いていた。",
        ),
        ("gb18030", "我们在五月里看到了很多雨水。六月的时候雨又下起来了，河水上涨。"),
    ],
)
def test_an_encoding_without_a_mark_is_found(tmp_path: Path, encoding: str, words: str):
    path = write(tmp_path / "a.txt", words.encode(encoding))
    assert texts(path) == [("paragraph", words.strip())]


def test_blank_lines_divide_paragraphs(tmp_path: Path):
    assert [text for _, text in texts(write(tmp_path / "a.txt", "One\r\ntwo\r\n \r\nThree\n"))] == ["One\ntwo", "Three"]


def test_binary_data_is_not_text(tmp_path: Path):
    with pytest.raises(SourceError, match="not text"):
        read(write(tmp_path / "a.txt", bytes(range(256)) * 4))


def test_a_stray_byte_in_utf_8_is_named_and_costs_one_character(tmp_path: Path):
    words = "Größe und Länge der Brücke über den Fluß, schön und grün. " * 3
    document = read(write(tmp_path / "a.txt", words.encode() + b"\xff end"))
    assert document.blocks[0].text == words + "\ufffd end"
    assert document.warnings[0].what == "1 character"


def test_characters_that_cannot_be_stored_are_dropped(tmp_path: Path):
    assert texts(write(tmp_path / "a.txt", "a\x01b\x7fc")) == [("paragraph", "abc")]


# Markdown


def test_markdown_keeps_sections_in_order(tmp_path: Path):
    path = write(tmp_path / "a.md", "# One\n\nText.\n\n## Two\n\n- a\n- b\n\n# Three\n\n```\n  x = 1\n```\n")
    document = read(path)
    assert document.title == "One"
    assert [(b.kind, b.section, b.text) for b in document.blocks] == [
        ("heading", ("One",), "One"),
        ("paragraph", ("One",), "Text."),
        ("heading", ("One", "Two"), "Two"),
        ("list", ("One", "Two"), "- a"),
        ("list", ("One", "Two"), "- b"),
        ("heading", ("Three",), "Three"),
        ("code", ("Three",), "  x = 1"),
    ]


def test_markdown_front_matter_gives_title_and_metadata(tmp_path: Path):
    front = "---\ntitle: Rain\ndate: 2024-05-01\ntags: [a, b]\nnested: {x: 1}\n---\n# Other\n"
    document = read(write(tmp_path / "a.md", front))
    assert (document.title, document.metadata) == ("Rain", {"date": "2024-05-01", "tags": ["a", "b"]})


def test_markdown_front_matter_keeps_its_types(tmp_path: Path):
    front = "date: 2024-05-01\nat: 2024-05-01 09:30:00\nrank: 3\nshare: 0.5\ndraft: false\n"
    front += "days: [2024-05-01, x]\nmap: {a: 1}"
    document = read(write(tmp_path / "a.md", f"---\n{front}\n---\nText\n"))
    assert document.metadata == {
        "date": "2024-05-01",
        "at": "2024-05-01T09:30:00",
        "rank": 3,
        "share": 0.5,
        "draft": False,
        "days": ["2024-05-01", "x"],
    }
    assert [warning.what for warning in document.warnings] == ["front matter map"]


def test_markdown_front_matter_may_be_toml(tmp_path: Path):
    document = read(write(tmp_path / "a.md", '+++\ntitle = "Rain"\ndate = 2024-05-01\n+++\nText\n'))
    assert (document.title, document.metadata) == ("Rain", {"date": "2024-05-01"})


def test_front_matter_made_to_grow_is_refused(tmp_path: Path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    document = read(write(tmp_path / "a.md", "---\n" + "\n".join(lines) + "\n---\nText\n"))
    assert (document.metadata, document.warnings[0].reason) == ({}, "YAML with aliases is not read")


def test_markdown_tables_and_lists_read_well(tmp_path: Path):
    path = write(tmp_path / "a.md", "| Month | mm |\n|---|---|\n| May | 12 |\n\n1. one\n   - in\n2. two\n")
    assert [text for _, text in texts(path)] == ["Month | mm\nMay | 12", "1. one", "  - in", "2. two"]


def test_broken_front_matter_is_named(tmp_path: Path):
    document = read(write(tmp_path / "a.md", "---\ntitle: [\n---\nText\n"))
    assert [block.text for block in document.blocks] == ["Text"]
    assert document.warnings[0].what == "front matter"


@pytest.mark.parametrize(
    ("source", "alt", "caption", "kind"),
    [
        ("![A red box](fig/x.png)", "A red box", "", "alt"),
        ('![A red box](fig/x.png "The title")', "A red box", "The title", "caption"),
        ("![The caption](fig/x.png){alt='A red box' .wide}", "A red box", "The caption", "caption"),
        ("![](fig/x.png){alt='A red box'}", "A red box", "", "alt"),
        ("![\nThe caption\n](fig/x.png){\nalt=\"A 'red' box\"\n}", "A 'red' box", "The caption", "caption"),
        ("![](fig/x.png)", "", "", ""),
        ('<img src="fig/x.png" alt="A red box">', "A red box", "", "alt"),
        (
            '<figure>\n<img src="fig/x.png" alt="A">\n<figcaption>The *cap*</figcaption></figure>',
            "A",
            "The *cap*",
            "caption",
        ),
        ("![a][ref]\n\n[ref]: fig/x.png", "a", "", "alt"),
        ("![spaces](<fig/y z.png>)", "spaces", "", "alt"),
        ("![escaped](fig/y%20z.png?raw=true)", "escaped", "", "alt"),
    ],
)
def test_markdown_pictures_keep_their_words(tmp_path: Path, source: str, alt: str, caption: str, kind: str):
    write(tmp_path / "fig/x.png", png())
    write(tmp_path / "fig/y z.png", png())
    (picture,) = read(write(tmp_path / "a.md", f"# H\n\n{source}\n")).pictures
    assert (picture.alt, picture.caption, picture.caption_source) == (alt, caption, kind)
    assert (picture.mime, picture.width, picture.height, picture.section) == ("image/png", 20, 30, ("H",))


def test_markdown_fenced_divs_leave_no_colons(tmp_path: Path):
    document = read(write(tmp_path / "a.md", "::::::: callout\n\nText\n::: {.x}\n::::::\n\nRatio ::: 3\n"))
    assert [block.text for block in document.blocks] == ["Text", "Ratio ::: 3"]


def test_markdown_data_pictures_are_read(tmp_path: Path):
    uri = "data:image/png;base64," + base64.b64encode(png()).decode()
    (picture,) = read(write(tmp_path / "a.md", f"![dot]({uri})")).pictures
    assert (picture.alt, picture.data) == ("dot", png())


# Pictures that documents link to


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://example.org/x.png", "remote"),
        ("//example.org/x.png", "remote"),
        ("missing.png", "does not exist"),
        ("../secret.png", "not in the ingested folder"),
        ("link.png", "not in the ingested folder"),
        ("/etc/hostname", "not in the ingested folder"),
        ("file:///etc/hostname", "not in the ingested folder"),
        ("javascript:alert(1)", "addresses of the kind javascript:"),
        ("data:image/png;base64,AAAA", "not a picture of a known format"),
        ("drawing.svg", "SVG"),
        ("half.png", "cannot be opened"),
    ],
)
def test_a_picture_that_cannot_be_kept_is_named_and_its_words_stay(tmp_path: Path, address: str, reason: str):
    write(tmp_path / "secret.png", png())
    write(tmp_path / "in/drawing.svg", "<svg xmlns='http://www.w3.org/2000/svg'><g>")
    write(tmp_path / "in/half.png", png("blue", (200, 200))[:60])
    (tmp_path / "in/link.png").symlink_to(tmp_path / "secret.png")
    document = read(write(tmp_path / "in/a.md", f"Before\n\n![the words]({address})\n\nAfter"))
    assert not document.pictures
    assert [block.text for block in document.blocks] == ["Before", "the words", "After"]
    assert reason in document.warnings[0].reason


def test_a_link_may_climb_within_the_ingested_folder(tmp_path: Path):
    write(tmp_path / "fig/x.png", png())
    page = write(tmp_path / "deep/er/a.md", "![x](../../fig/x.png) ![y](/fig/x.png)")
    assert len(read(page, root=tmp_path).pictures) == 2
    assert linked_files(page, root=tmp_path) == ((tmp_path / "fig/x.png").resolve(),)
    assert linked_files(page) == ()


# HTML

PAGE = """<!doctype html><html lang="en"><head><title>The  page</title><meta name="author" content="Ann">
<style>p {}</style><script>var x</script></head><body><nav><a href="/">Home</a></nav>
<h1>Top</h1><p>First <b>bold</b>
line.<br>Second line.</p><script>evil()</script>
<h2>Data</h2><table><caption>Rain</caption><tr><th>Month</th><th>mm</th></tr><tr><td>May</td><td>12</td></tr></table>
<figure><img src="x.png" alt="Bars"><figcaption>Rain by month</figcaption></figure>
<ul><li>one</li><li>two <img src="x.png" alt="in a list"></li></ul><pre>a
  b</pre><p hidden>unseen</p><!-- unsaid --></body></html>"""


def test_html_keeps_text_tables_and_figures_without_noise(tmp_path: Path):
    write(tmp_path / "x.png", png())
    document = read(write(tmp_path / "a.html", PAGE))
    assert (document.title, document.metadata) == ("The page", {"author": "Ann", "language": "en"})
    assert [
        (item.kind, item.text) if isinstance(item, Block) else (item.alt, item.caption) for item in document.items
    ] == [
        ("heading", "Top"),
        ("paragraph", "First bold line.\nSecond line."),
        ("heading", "Data"),
        ("table", "Rain\nMonth | mm\nMay | 12"),
        ("Bars", "Rain by month"),
        ("list", "- one"),
        ("list", "- two"),
        ("in a list", ""),
        ("code", "a\n  b"),
    ]


def test_html_spacers_are_counted_not_kept_and_their_words_stay(tmp_path: Path):
    write(tmp_path / "dot.gif", png(size=(1, 1)))
    document = read(write(tmp_path / "a.html", '<p>x</p><img src="dot.gif"><img src="dot.gif" alt="meant">'))
    assert document.pictures == ()
    assert [block.text for block in document.blocks] == ["x", "meant"]
    assert document.left_out == {"at most 2×2 pixels": 2}


def test_html_pictures_of_a_remote_base_are_remote(tmp_path: Path):
    write(tmp_path / "x.png", png())
    document = read(write(tmp_path / "a.html", '<base href="https://example.org/"><img src="x.png">'))
    assert (document.warnings[0].what, document.pictures) == ("picture https://example.org/x.png", ())


@pytest.mark.parametrize("tags", ["<div>", "<table><tr><td>a</td><td>", "<table><tr><td>", "<ul><li>", "<figure>"])
def test_deeply_nested_html_does_not_exhaust_the_stack(tmp_path: Path, tags: str):
    document = read(write(tmp_path / "a.html", tags * 2000 + "deep"))
    assert "deep" in "".join(block.text for block in document.blocks)


def test_html_lists_keep_their_numbers_and_depth(tmp_path: Path):
    page = "<ol start=3><li>c<ul><li>in</li></ul></li><li>d</li><li value=9>i</li></ol>"
    assert [text for _, text in texts(write(tmp_path / "a.html", page))] == ["3. c", "  - in", "4. d", "9. i"]


def test_html_keeps_an_address_that_says_more_than_its_label_and_once(tmp_path: Path):
    page = (
        '<p><a href="https://example.org/data">The data</a> and <a href="https://example.org/data">again</a>, '
        '<a href="/wiki/Rain">rain</a>, <a href="https://example.org/x?utm=1">tracked</a>, '
        '<a href="https://example.org/note">[1]</a>, <a href="https://example.com">example.com</a>, '
        '<a href="mailto:ann@example.org">Ann</a></p>'
    )
    assert texts(write(tmp_path / "a.html", page)) == [
        (
            "paragraph",
            "The data (https://example.org/data) and again, rain, tracked, [1], example.com, Ann (ann@example.org)",
        )
    ]


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        ('<img src="small.png" srcset="small.png 100w, big.png 800w" alt="x">', "big.png"),
        ('<img src="small.png" srcset="small.png, big.png 2x" alt="x">', "big.png"),
        ('<img src="small.png" srcset="gone.png 800w" alt="x">', "small.png"),
        ('<img src="small.png" srcset="https://example.org/big.png 800w" alt="x">', "small.png"),
        ('<picture><source srcset="big.png 800w" type="image/png"><img src="small.png" alt="x"></picture>', "big.png"),
        ('<picture><source srcset="a.jxl 800w" type="image/jxl"><img src="small.png" alt="x"></picture>', "small.png"),
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" data-src="big.png" alt="x">', "big.png"),
        ('<svg><image href="big.png"/></svg>', "big.png"),
        ('<object type="image/png" data="big.png">x</object>', "big.png"),
        ('<p><a href="big.png"><img src="small.png" alt="x"></a></p>', "small.png"),
    ],
)
def test_html_shows_the_best_picture_that_is_there(tmp_path: Path, markup: str, found: str):
    write(tmp_path / "small.png", png(size=(20, 20)))
    write(tmp_path / "big.png", png(size=(80, 80)))
    page = write(tmp_path / "a.html", markup)
    assert [picture.name for picture in read(page).pictures] == [found]
    assert linked_files(page) == ((tmp_path / found).resolve(),)


def test_html_tables_fill_merged_cells_and_keep_what_is_in_them(tmp_path: Path):
    page = """<table><tr><th>Year</th><th colspan=2>Rain</th></tr>
    <tr><td rowspan=2>2024</td><td>May</td><td>1<b>2</b></td></tr><tr><td>June</td>
    <td><input type=checkbox checked>wet<table><tr><td>a</td><td>b</td></tr></table></td></tr></table>"""
    assert texts(write(tmp_path / "a.html", page)) == [
        ("table", "Year | Rain | Rain\n2024 | May | 12\n2024 | June | [x] wet"),
        ("table", "a | b"),
    ]


def test_html_spans_made_to_exhaust_memory_are_bounded(tmp_path: Path):
    page = (
        '<table><tr><td colspan="99999" rowspan="99999">a</td><td>b</td></tr>' + "<tr><td>c</td></tr>" * 20 + "</table>"
    )
    assert sum(len(text) for _, text in texts(write(tmp_path / "a.html", page))) < 200_000


def test_html_formulas_are_told_once_by_their_source(tmp_path: Path):
    math = "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics></math>"
    assert texts(write(tmp_path / "a.html", f"<p>So {math} holds.</p>")) == [("paragraph", "So x^2 holds.")]


def test_pictures_of_menus_are_counted(tmp_path: Path):
    write(tmp_path / "x.png", png())
    document = read(write(tmp_path / "a.html", '<nav><img src="x.png"></nav><p>text</p>'))
    assert [str(warning) for warning in document.warnings] == ["1 picture: in menus and search forms"]


# Picture files


def test_a_picture_file_is_a_document_of_one_picture(tmp_path: Path):
    document = read(write(tmp_path / "box.png", png()))
    (picture,) = document.pictures
    assert (document.title, document.mime, picture.words, picture.caption_source) == ("box", "image/png", "", "")


def test_a_sidecar_gives_the_caption(tmp_path: Path):
    path = write(tmp_path / "box.png", png())
    side = write(tmp_path / "box.txt", "A red\nbox\n")
    (picture,) = read(path).pictures
    assert (picture.caption, picture.caption_source, linked_files(path)) == ("A red box", "sidecar", (side,))


def test_a_json_sidecar_gives_caption_and_alt(tmp_path: Path):
    path = write(tmp_path / "box.png", png())
    write(tmp_path / "box.json", json.dumps({"caption": "A box", "alt": "red"}))
    (picture,) = read(path).pictures
    assert (picture.caption, picture.alt, picture.caption_source) == ("A box", "red", "sidecar")


def test_a_broken_sidecar_is_named(tmp_path: Path):
    path = write(tmp_path / "box.png", png())
    write(tmp_path / "box.json", "{")
    document = read(path)
    assert document.warnings[0].what == "sidecar box.json"
    assert len(document.pictures) == 1


def test_exif_and_png_descriptions_are_captions(tmp_path: Path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Description", "A box of red")
    exif = Image.Exif()
    exif[0x010E] = "A described box"
    exif[0x0112] = 6
    Image.new("RGB", (20, 30)).save(tmp_path / "b.jpg", exif=exif)
    (first,) = read(write(tmp_path / "a.png", png(pnginfo=info))).pictures
    (second,) = read(tmp_path / "b.jpg").pictures
    assert (first.caption, first.caption_source) == ("A box of red", "exif")
    assert (second.caption, second.width, second.height) == ("A described box", 30, 20)


def test_what_cameras_write_is_no_caption(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010E] = "OLYMPUS DIGITAL CAMERA         "
    Image.new("RGB", (20, 30)).save(tmp_path / "b.jpg", exif=exif)
    assert read(tmp_path / "b.jpg").pictures[0].caption_source == ""


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_pictures_of_every_mode_count(tmp_path: Path, mode: str):
    Image.new(mode, (20, 20)).save(tmp_path / "a.tiff")
    assert read(tmp_path / "a.tiff").pictures[0].mime == "image/tiff"


def test_a_damaged_picture_file_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError, match="cannot be opened"):
        read(write(tmp_path / "a.png", png(size=(100, 100))[:70]))


def test_a_decompression_bomb_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.png"
    Image.new("1", (20000, 20000)).save(path)
    with pytest.raises(SourceError, match="too many pixels"):
        read(path)


# Which reader


def test_content_decides_where_the_suffix_lies(tmp_path: Path):
    assert read(write(tmp_path / "a.jpg", png())).mime == "image/png"
    assert isinstance(read(write(tmp_path / "a.txt", png())).items[0], Picture)


def test_unknown_suffixes_have_no_reader(tmp_path: Path):
    assert reader_name(Path("a.xyz")) is None
    assert reader_name(Path("A.MD")) == "markdown"
    with pytest.raises(SourceError, match="unknown kind"):
        read(write(tmp_path / "a.xyz", "x"))


def test_an_empty_or_absent_file_is_told(tmp_path: Path):
    for suffix in READERS:
        path = write(tmp_path / f"empty{suffix}", b"")
        if READERS[suffix] in ("text", "markdown", "html", "csv", "rst", "asciidoc"):
            assert read(path).items == ()
        else:
            with pytest.raises(SourceError):
                read(path)
    with pytest.raises(SourceError, match="cannot be opened"):
        read(tmp_path / "none.md")
