"""Files made to harm: they cost bounded time and memory and reach nothing outside of them."""

# ruff: noqa: E501  # markup reads better whole
from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from ingestion import junk
from ingestion.document import Block, ParsedDocument, Picture, writable
from ingestion.readers import _sheet, _tables, linked_files, read
from rag.errors import TriptychError
from tests.conftest import SHARED_DATA
from tests.document_files import png, rezipped, told, write
from tests.patience import processor_seconds
from tests.samples import MAKERS, samples
from tests.test_readers_odf import package, text_document

ROOT = Path(__file__).resolve().parents[1]
SIZE = 40_000
SECONDS = 8.0
"""Of processor time of a usual machine. Each of these files took longer than that once, most of them minutes."""
_FILTER = '<filter id="f"><feGaussianBlur stdDeviation="2"/></filter>'
_FAR = '<path d="M1 1 L50 40 C65535 2 3 4 5 6 z"/>'
SLOW: dict[str, str] = {
    "closed heading.adoc": "= a" + " " * SIZE + "b",
    "open bold.adoc": "*a " * (SIZE // 3),
    "open doubled.adoc": "**" + "a **" * (SIZE // 4) + "b",
    "links without end.adoc": "http://a" * (SIZE // 8),
    "links within links.adoc": "link:a" * (SIZE // 6),
    "repeated cells.adoc": "|===\n" + "1000*|a " * (SIZE // 8) + "\n|===",
    "open emphasis.rst": "*a " * (SIZE // 3),
    "open literals.rst": "``a " * (SIZE // 4),
    "contents.rst": "A\n=\n\n.. contents::\n\n" * (SIZE // 20),
    "transitions.rst": "----\n\n" * (SIZE // 6),
    "classes.rst": ".. class:: a\n\n" * (SIZE // 14),
    "lists in lists.rst": ("* " * 100 + "x\n") * (SIZE // 200),
    "chained targets.rst": "".join(f".. _a{number}:\n" for number in range(SIZE // 5)) + "\nwords",
    "nested front matter.md": "---\na: " + "[" * SIZE + "\n---\nwords",
    "srcset.html": '<img srcset="' + "a" * SIZE + ' b">',
    "nested tables.html": "<table><tr><td>" * (SIZE // 15) + "x",
    "nested menus.html": "<div role=search>" * (SIZE // 17),
    "nested drawings.html": "<svg>" * (SIZE // 10) + '<image href="x"/>' * (SIZE // 20),
    "sources.html": "<picture>" + '<source srcset="a 1x">' * (SIZE // 44) + '<img src="x">' * (SIZE // 26),
    "inline drawings.html": '<svg><image href="x"/></svg>' * (SIZE // 3),
    "scripts.html": "<p>a</p><script></script>" * (SIZE // 3),
    "boxes in a cell.html": "<table><tr><td>a<td>" + "<input type=checkbox>" * SIZE,
    "addressees.eml": "To: " + '"a" ' * (SIZE // 4) + "\n\nwords",
    "encoded words.eml": "To: " + "=?utf-8?q?a?= " * (SIZE // 14) + "\n\nwords",
    "blur.svg": f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60">{_FILTER}'
    + f'<g transform="rotate(5)" filter="url(#f)">{_FAR}</g><g style="filter : url(#f)">{_FAR}</g></svg>',
    "arc.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><path d="M0 0A1e38 1e38 0 0 0 9 1e38"/><path d="M1 1h9v9z"/></svg>',
    "marks.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><marker id="m"><path d="M0 0L1 1"/></marker>'
    + f'<path marker-mid="url(#m)" d="M0 0{"h1h-1" * SIZE}" stroke="red"/></svg>',
    "pattern.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><pattern id="p" width="9" height="1e38" patternUnits="userSpaceOnUse"><rect width="1" height="1"/></pattern><rect width="9" height="9" fill="url(#p)"/></svg>',
}


@pytest.mark.parametrize("name", SLOW)
def test_a_file_made_to_take_for_ever_is_read_in_bounded_time(name: str, tmp_path: Path):
    path = write(tmp_path / name, SLOW[name])
    start = time.process_time()
    read(path)
    assert time.process_time() - start < processor_seconds(SECONDS)


def test_a_drawing_with_more_styles_than_can_be_matched_is_refused(tmp_path: Path):
    styles = "".join(f".a{number}{{fill:red}}" for number in range(SIZE))
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><style>{styles}</style><path d="M0 0"/></svg>'
    )
    with pytest.raises(TriptychError, match="40000 styles for 3 elements"):
        read(write(tmp_path / "a.svg", drawing))


@pytest.mark.parametrize("times", [1, 600])
def test_links_of_restructuredtext_keep_their_addresses_beside_a_chain_of_targets(tmp_path: Path, times: int):
    chain = "".join(f".. _a{number}:\n" for number in range(times))
    words = f"See rain_ and snow_.\n\n.. _rain: https://example.org/one\n.. _snow: https://example.org/two\n\n{chain}\nEnd\n"
    document = read(write(tmp_path / "a.rst", words))
    assert [block.text for block in document.blocks] == [
        "See rain (https://example.org/one) and snow (https://example.org/two).",
        "End",
    ]


def test_a_long_paragraph_of_restructuredtext_keeps_every_word(tmp_path: Path):
    words = " ".join(f"*w{number}*" for number in range(5000))
    document = read(write(tmp_path / "a.rst", words))
    assert "".join(block.text for block in document.blocks).replace("*", "").split() == [f"w{n}" for n in range(5000)]


def test_a_header_of_a_message_is_cut_and_told(tmp_path: Path):
    document = read(write(tmp_path / "a.eml", "Subject: rain\nTo: " + "a@b.c, " * 5000 + "\n\nwords"))
    assert "the end of the header To: longer than 10000 characters" in told(document)
    assert document.title == "rain"


def test_a_header_nested_without_end_costs_that_header(tmp_path: Path):
    document = read(write(tmp_path / "a.eml", "Subject: rain\nTo: " + "(" * 9000 + "\n\nwords"))
    assert document.title == "rain"
    assert document.blocks[-1].text == "words"


def _spanned(folder: Path) -> Path:
    cell = f'<td rowspan="1000" colspan="1000">{"rain " * 2000}</td>'
    return write(folder / "a.html", f"<table><tr>{cell}<td>a</td></tr>{'<tr><td>b</td><td>c</td></tr>' * 999}</table>")


def _repeated(folder: Path) -> Path:
    cell = (
        '<table:table-cell table:number-columns-repeated="16384"><text:p>'
        + "rain " * 2000
        + "</text:p></table:table-cell>"
    )
    row = f'<table:table-row table:number-rows-repeated="300">{cell}</table:table-row>'
    return package(folder / "a.ods", "spreadsheet", f"<table:table>{row}</table:table>") or folder / "a.ods"


@pytest.mark.parametrize("make", [_spanned, _repeated])
def test_a_long_cell_that_covers_a_million_others_is_not_a_million_copies(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_tables, "MAX_CHARACTERS", 2_000_000)
    monkeypatch.setattr(_sheet, "MAX_CHARACTERS", 2_000_000)
    document = read(make(tmp_path))
    assert "characters" in told(document)
    assert sum(len(block.text) for block in document.blocks) < 10_000_000


def test_no_column_of_a_wide_table_is_lost(tmp_path: Path):
    cells = "".join(f"<td>c{number}</td>" for number in range(5000))
    document = read(write(tmp_path / "a.html", f"<table><tr><td>a</td><td>b</td></tr><tr>{cells}</tr></table>"))
    assert "c4999" in document.blocks[-1].text


def test_what_no_encoding_can_carry_is_taken_out_of_every_text_of_a_document():
    block, picture = (
        Block("a\ud800", ("b\0",)),
        Picture(b"\xff", "image/png", 1, 1, ocr="c\udb62", keywords=("d\udc00",)),
    )
    document = writable(ParsedDocument("e\ud800", "m", (block, picture), {"f\ud800": ["g\ud800", 1]}))
    assert document == ParsedDocument(
        "e", "m", (Block("a", ("b",)), Picture(b"\xff", "image/png", 1, 1, ocr="c", keywords=("d",))), {"f": ["g", 1]}
    )


def test_metadata_of_a_sidecar_can_be_stored(tmp_path: Path):
    write(tmp_path / "a.png", png())
    write(tmp_path / "a.json", r'{"caption": "x\ud800", "by\ud800": "y\udfff"}')
    assert dict(read(tmp_path / "a.png").metadata) == {"by": "y"}


@pytest.mark.parametrize("name", ["x.png", "x.txt"])
def test_a_link_out_of_the_ingested_folder_is_not_followed(name: str, tmp_path: Path):
    folder, outside = tmp_path / "in", write(tmp_path / "secret", png() if name == "x.png" else "secret words")
    page = write(folder / "a.md", "![Red bars](x.png)")
    if name == "x.txt":
        page = write(folder / "x.png", png())
    (folder / name).symlink_to(outside)
    assert linked_files(page, folder) == ()
    document = read(page, folder)
    assert "secret" not in repr([document.blocks, [picture.words for picture in document.pictures]])
    assert len(document.pictures) == (name == "x.txt")


def test_damaged_pictures_print_nothing(tmp_path: Path):
    buffer = BytesIO()
    Image.frombytes("L", (200, 200), Random(0).randbytes(200 * 200)).save(buffer, "TIFF", compression="tiff_lzw")
    data = buffer.getvalue()
    write(tmp_path / "a.tiff", data[:9000] + bytes(len(data) - 9000 - 400) + data[-400:])
    code = "import sys; from rag.pictures import open_picture; from rag.errors import PictureError\ntry: open_picture(sys.argv[1])\nexcept PictureError: print('damaged')"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.tiff"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("damaged\n", "")


def stripes(size: tuple[int, int], seed: int) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").rotate(90 * seed).resize(size).save(buffer, "PNG")
    return buffer.getvalue()


class _Seen(BaseHTTPRequestHandler):
    seen: list[str] = []  # noqa: RUF012  # one server a test

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    _Seen.seen.clear()
    server = HTTPServer(("127.0.0.1", 0), _Seen)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/x.png"
    server.shutdown()
    server.server_close()
    thread.join()


def _remote(address: str, folder: Path) -> Iterator[Path]:
    """Files that name `address` in every way their format has."""
    made = samples(folder)
    doctype = f'<!DOCTYPE x SYSTEM "{address}" [<!ENTITY e SYSTEM "{address}"><!ENTITY % p SYSTEM "{address}">%p;]>'
    html = f"""<html><head><base href="{address}"><link rel="stylesheet" href="{address}"><style>@import url({address});
    body {{background: url({address})}}</style><script src="{address}"></script><meta http-equiv="refresh" content="0;{address}">
    </head><body background="{address}"><img src="{address}" srcset="{address} 2x"><iframe src="{address}"></iframe>
    <object data="{address}" type="image/png"></object><video poster="{address}"></video><svg><image href="{address}"/></svg>
    <input type="image" src="{address}"><p style="background: url({address})">x</p></body></html>"""
    svg = f"""<?xml-stylesheet href="{address}"?>{doctype}<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"
    xmlns:xlink="http://www.w3.org/1999/xlink"><style>@import url({address}); text {{font-family: url({address})}}</style>
    <image href="{address}" width="9" height="9"/><use xlink:href="{address}#a"/><feImage href="{address}"/>
    <text fill="url({address})">&e;</text></svg>"""
    rst = f".. image:: {address}\n\n.. raw:: html\n   :url: {address}\n\n.. csv-table::\n   :url: {address}\n\n.. include:: {address}\n"
    yield write(folder / "r.html", html)
    yield write(folder / "r.xhtml", f'{doctype}<html xmlns="http://www.w3.org/1999/xhtml"><body>&e;</body></html>')
    yield write(folder / "r.svg", svg)
    yield write(folder / "r.rst", rst)
    yield write(
        folder / "r.md",
        f'![a]({address})\n\n<img src="{address}">\n\n[![b]({address})]({address})\n\n[c]: {address}\n![c]',
    )
    yield write(folder / "r.adoc", f"image::{address}[a]\n\ninclude::{address}[]\n\n:data-uri:\nimage:{address}[]")
    yield write(folder / "r.eml", f"Subject: x\nContent-Type: text/html\nContent-Base: {address}\n\n{html}")
    yield write(
        folder / "r.eml", f'Subject: x\nContent-Type: message/external-body; access-type=URL; URL="{address}"\n\n\n'
    )
    data = {"text/html": html, "image/svg+xml": svg}
    cells = [
        {"cell_type": "markdown", "source": f"![a]({address})"},
        {"cell_type": "code", "outputs": [{"data": data}]},
    ]
    yield write(folder / "r.ipynb", json.dumps({"cells": cells}))
    yield rezipped(made["epub"], {"OPS/text/two.xhtml": f"{doctype}{html}", "OPS/nav.xhtml": svg})
    yield text_document(
        folder / "r.odt", f'<text:p><draw:frame><draw:image xlink:href="{address}"/></draw:frame></text:p>'
    )
    relation = '<Relationship Id="rId{}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}" Target="{}" TargetMode="External"/>'
    for kind, part in (
        ("docx", "word/_rels/document.xml.rels"),
        ("pptx", "ppt/slides/_rels/slide1.xml.rels"),
        ("xlsx", "xl/drawings/_rels/drawing1.xml.rels"),
    ):
        kinds = ("image", "chart", "attachedTemplate", "oleObject", "hyperlink", "header", "comments")
        more = "".join(relation.format(90 + number, name, address) for number, name in enumerate(kinds))
        yield _related(made[kind], part, more)
    yield write(
        folder / "r.pdf",
        made["pdf"]
        .read_bytes()
        .replace(b"/Type /Catalog", b"/Type /Catalog /OpenAction << /S /URI /URI (" + address.encode() + b") >>"),
    )


def _related(path: Path, part: str, more: str) -> Path:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        relations = archive.read(part).decode()
        target = relations.replace("</Relationships>", f"{more}</Relationships>")
        shows = {
            name: archive.read(name).replace(b"r:embed=", b'r:link="rId90" r:embed_was=')
            for name in archive.namelist()
            if b"r:embed=" in archive.read(name)
        }
    return rezipped(path, {part: target, **shows})


def test_no_address_in_any_file_is_ever_asked(address: str, tmp_path: Path):
    outcomes = []
    for path in _remote(address, tmp_path):
        try:
            linked_files(path)
            outcomes.append((path.name, bool(read(path).items)))
        except TriptychError:
            outcomes.append((path.name, False))
    assert _Seen.seen == []
    assert sum(read_at_all for _, read_at_all in outcomes) >= 10, outcomes


def test_a_notebook_of_a_large_output_keeps_its_beginning(tmp_path: Path):
    output = {"output_type": "stream", "text": "x" * 20_000_000}
    picture = {"output_type": "display_data", "data": {"image/png": b64encode(bytes(20_000_000)).decode()}}
    cells = [{"cell_type": "code", "source": "x = 1", "outputs": [output, picture]}]
    document = read(write(tmp_path / "a.ipynb", json.dumps({"cells": cells})))
    assert sum(len(block.text) for block in document.blocks) < 11_000
    assert "characters of an output" in told(document)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_samples_of_the_fuzzer_are_read(kind: str, tmp_path: Path):
    assert read(samples(tmp_path)[kind]).items


@pytest.mark.slow
def test_the_command_ends_every_hostile_picture_as_its_manifest_says_and_prints_nothing_else(tmp_path: Path):
    root = SHARED_DATA / "hostile-images"
    if not root.is_dir():
        pytest.skip("hostile-images is not here")
    entries = map(json.loads, (root / "manifest.jsonl").read_text(encoding="utf-8").splitlines())
    loads = {(root / entry["file"]).as_posix(): entry["loads"] for entry in entries}
    command = [
        sys.executable,
        "-m",
        "rag.cli",
        "ingest",
        root,
        "--corpus",
        tmp_path / "c",
        "--encoder",
        "fake",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    report = json.loads(done.stdout)
    assert done.returncode == 3
    assert all(line.startswith("triptych: ") for line in done.stderr.splitlines()), done.stderr
    failed = {Path(failure["source"]).as_posix() for failure in report["failures"]}
    skipped = {Path(skip["source"]).as_posix() for skip in report["skipped"]}
    expected = {path for path, sound in loads.items() if not sound and path not in skipped}
    assert failed == expected


def test_a_picture_that_a_document_shows_a_thousand_times_is_decoded_once(tmp_path: Path):
    write(tmp_path / "x.png", png(size=(4000, 3000)))
    path = write(tmp_path / "a.html", '<img src="x.png" alt="Red bars">' * 1000)
    start = time.process_time()
    document = read(path)
    assert time.process_time() - start < processor_seconds(SECONDS)
    assert document.pictures


def test_slices_that_would_make_too_large_a_picture_stay_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(junk, "MAX_PIXELS", 50_000)
    for number in range(4):
        write(tmp_path / f"{number}.png", stripes((400, 40), number))
    document = read(write(tmp_path / "a.html", "".join(f'<img src="{number}.png">' for number in range(4))))
    assert [picture.height for picture in document.pictures] == [40] * 4


@pytest.mark.parametrize("fields", ['{"n": 1000000000000000000000000000000}', '{"n": NaN, "m": Infinity, "": 1}'])
def test_numbers_that_cannot_be_stored_do_not_end_the_run(fields: str, tmp_path: Path):
    from rag.corpus import Corpus

    write(tmp_path / "in" / "a.png", png())
    write(tmp_path / "in" / "a.json", fields)
    write(tmp_path / "in" / "b.txt", "words")
    with Corpus.open(tmp_path / "c", encoder="fake") as corpus:
        told = corpus.ingest(tmp_path / "in").to_json()
    assert told["sources"]["added"] + told["sources"]["failed"] == 2
    assert told["sources"]["added"] >= 1
