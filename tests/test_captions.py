"""The words of a picture: those within its file and beside it, each form that cameras, agencies and programs write."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from ingestion.captions import own_words
from ingestion.document import Picture
from ingestion.nodes import caption_words
from ingestion.picture import inspect
from ingestion.readers import linked_files, read
from tests.test_junk import shape
from tests.test_pipeline import DictStore, World

XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:i="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="de">Brücke</rdf:li><rdf:li xml:lang="x-default">Bridge</rdf:li></rdf:Alt>'
    '</dc:title><dc:description><rdf:Alt><rdf:li xml:lang="x-default">Seen at dawn</rdf:li></rdf:Alt>'
    "</dc:description><dc:subject><rdf:Bag><rdf:li>river</rdf:li><rdf:li>fog</rdf:li></rdf:Bag></dc:subject>"
    "<i:AltTextAccessibility><rdf:Alt><rdf:li>An arch over water</rdf:li></rdf:Alt></i:AltTextAccessibility>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()


def jpeg(**save: Any) -> bytes:
    buffer = BytesIO()
    shape(40, 30).save(buffer, "JPEG", **save)
    return buffer.getvalue()


def said(data: bytes) -> Any:
    return own_words(data, inspect(data))


def exif(**tags: Any) -> Image.Exif:
    found = Image.Exif()
    for tag, value in tags.items():
        number = int(tag.removeprefix("t"), 16)
        if number == 0x9286:
            found.get_ifd(0x8769)[number] = value
        else:
            found[number] = value
    return found


def with_iptc(*records: tuple[int, bytes]) -> bytes:
    """A JPEG with a Photoshop block that holds IPTC records of dataset 2."""
    block = b"".join(b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(value)) + value for number, value in records)
    resource = b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(block)) + block
    payload = b"Photoshop 3.0\0" + resource + (b"\0" if len(block) % 2 else b"")
    plain = jpeg()
    return plain[:2] + b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload + plain[2:]


@pytest.mark.parametrize(
    "tags",
    [
        {"t010e": "Größe".encode()},
        {"t9c9b": "Größe".encode("utf-16-le") + b"\0\0"},
        {"t9c9c": "Größe".encode("utf-16-le")},
        {"t9286": b"UNICODE\0" + "Größe".encode("utf-16-le")},
        {"t9286": b"ASCII\0\0\0" + "Größe".encode()},
    ],
)
def test_exif_descriptions_are_read_in_their_encodings(tags):
    assert said(jpeg(exif=exif(**tags))).caption == "Größe"


def test_xmp_gives_title_description_alt_text_and_keywords():
    words = said(jpeg(xmp=XMP))
    assert (words.caption, words.alt, words.keywords) == (
        "Bridge. Seen at dawn",
        "An arch over water",
        ("river", "fog"),
    )


def test_iptc_gives_title_caption_and_keywords():
    words = said(with_iptc((5, b"Bridge"), (120, b"Seen at dawn"), (25, b"river"), (25, b"fog")))
    assert (words.caption, words.keywords) == ("Bridge. Seen at dawn", ("river", "fog"))


@pytest.mark.parametrize(
    "packet",
    [
        b"<not xml",
        b"",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hosts">]><x xmlns:dc="http://purl.org/dc/elements/1.1/">'
        b"<dc:description>&a;</dc:description></x>",
    ],
)
def test_a_hostile_or_broken_xmp_packet_says_nothing(packet):
    assert said(jpeg(xmp=packet) if packet else jpeg()).caption == ""


def test_truncated_iptc_says_what_it_can():
    assert said(with_iptc((120, b"Seen at dawn"))[:-4] + b"\xff\xd9").caption in ("Seen at dawn", "")


def test_the_words_of_a_drawing_are_caption_and_drawn_words(tmp_path: Path):
    (tmp_path / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><title>Rain</title>'
        "<desc>Rain by month</desc><text>May 12 mm</text></svg>"
    )
    (picture,) = read(tmp_path / "a.svg").pictures
    assert (picture.caption, picture.caption_source, picture.ocr, picture.mime) == (
        *("Rain by month", "exif", "May 12 mm"),
        "image/svg+xml",
    )


def test_a_json_sidecar_gives_keywords_and_its_other_scalars_as_metadata(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    fields = {"title": "A bridge", "keywords": "river; fog", "year": 1890, "loan": True, "place": {"x": 1}, "list": [1]}
    (tmp_path / "a.json").write_text(json.dumps(fields))
    document = read(tmp_path / "a.jpg")
    (picture,) = document.pictures
    assert (picture.caption, picture.caption_source, picture.keywords) == ("A bridge", "sidecar", ("river", "fog"))
    assert document.metadata == {"year": 1890, "loan": True, "keywords": ["river", "fog"]}


def test_text_and_json_beside_one_picture_complete_each_other(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "a.txt").write_text("A bridge")
    (tmp_path / "a.json").write_text('{"alt": "An arch", "year": 1890}')
    (picture,) = read(tmp_path / "a.jpg").pictures
    assert (picture.caption, picture.alt) == ("A bridge", "An arch")
    assert {path.name for path in linked_files(tmp_path / "a.jpg")} == {"a.json", "a.txt"}


def test_a_sidecar_comes_before_what_the_picture_says_itself(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(jpeg(exif=exif(t010e="From the camera bag")))
    (tmp_path / "a.txt").write_text("From the archive")
    (picture,) = read(tmp_path / "a.jpg").pictures
    assert (picture.caption, picture.caption_source) == ("From the archive", "sidecar")


def test_what_a_document_says_comes_before_what_the_picture_says_itself(tmp_path: Path):
    (tmp_path / "x.jpg").write_bytes(jpeg(exif=exif(t010e="From the bag")))
    (tmp_path / "a.md").write_text("![the bridge](x.jpg)\n\n![](x.jpg)")
    first, *others = read(tmp_path / "a.md").pictures
    assert (first.alt, first.caption, first.caption_source) == ("the bridge", "", "alt")
    assert [picture.caption_source for picture in others] == ["exif"]


def test_every_page_of_a_tiff_file_is_a_picture(tmp_path: Path):
    pages = [shape(60 + seed, 40, seed) for seed in range(3)]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    found = read(tmp_path / "a.tiff").pictures
    assert [(picture.page, picture.width) for picture in found] == [(1, 60), (2, 61), (3, 62)]
    assert len({picture.phash for picture in found}) > 1


def test_png_texts_are_read(tmp_path: Path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Bridge")
    info.add_itxt("Description", "Größe")
    shape(40, 30).save(tmp_path / "a.png", pnginfo=info)
    assert read(tmp_path / "a.png").pictures[0].caption == "Bridge. Größe"


# In the store


@pytest.fixture
def world(tmp_path: Path) -> World:
    from ingestion.assets import PictureStore

    (tmp_path / "in").mkdir()
    return World(DictStore(), tmp_path / "in", PictureStore(tmp_path / "pictures"))


DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200">{}<text>May 12 mm</text></svg>'


def test_drawn_words_are_found_by_words_but_leave_the_caption_vector_alone(world: World):
    (world.folder / "a.svg").write_text(DRAWING.format("<title>Rain</title>"))
    world.run()
    (node,) = world.nodes()
    assert (node.text, node.metadata["ocr"], node.metadata["caption"]) == ("Rain\nMay 12 mm", "May 12 mm", "Rain")
    assert caption_words(node) == "Rain"
    assert node.text_embedding == world.encoder.encode_texts(["Rain"])[0].tolist()


def test_drawn_words_are_the_caption_where_there_are_no_others(world: World):
    (world.folder / "a.svg").write_text(DRAWING.format(""))
    world.run()
    (node,) = world.nodes()
    assert (node.metadata["caption"], node.metadata["caption_source"]) == ("May 12 mm", "ocr")
    assert node.text_embedding == world.encoder.encode_texts(["May 12 mm"])[0].tolist()


def test_a_stored_picture_tells_what_it_looks_like(world: World):
    from rag.pictures import hash_distance

    image = shape(400, 300)
    image.save(world.folder / "a.png")
    image.resize((200, 150)).save(world.folder / "b.jpg", quality=70)
    world.run()
    first, second = world.nodes()
    assert hash_distance(first.metadata["image_phash"], second.metadata["image_phash"]) <= 6
    assert first.metadata["image_sha256"] != second.metadata["image_sha256"]


def test_the_same_picture_in_ten_files_is_one_file_and_ten_places(world: World):
    shape(40, 30).save(world.folder / "fig.png")
    for number in range(10):
        (world.folder / f"{number}.md").write_text(f"# Page {number}\n\n![disc {number}](fig.png)\n")
    world.run()
    pictures = [node for node in world.nodes() if "image_sha256" in node.metadata]
    assert len(pictures) == 10
    assert len({node.image_path for node in pictures}) == 1
    assert len([path for path in world.pictures.root.rglob("*") if path.is_file()]) == 1


def test_what_a_file_says_about_itself_is_stored_as_far_as_it_can_be(world: World):
    (world.folder / "a.md").write_text(
        "---\nauthor: Ann\nyear: 1890\nsource: forged\nmodality: image\n---\n# T\n\nText.\n"
    )
    world.run(metadata={"author": "the user"})
    (node,) = world.nodes()
    assert (node.metadata["author"], node.metadata["year"]) == ("the user", 1890)
    assert node.metadata["source"] != "forged"


def test_keywords_count_as_words():
    picture = Picture(b"", "image/png", 1, 1, caption="Our holiday", keywords=("beach", "sea"))
    assert picture.words == "Our holiday\nbeach, sea"


def test_the_report_counts_what_is_left_out_by_reason(world: World):
    shape(1, 1, flat=True).save(world.folder / "dot.gif")
    for name in ("a", "b"):
        (world.folder / f"{name}.html").write_text('<p>Text.</p><img src="dot.gif"><img src="dot.gif">')
    report = world.run()
    assert report.to_json()["left_out"] == {"at most 2×2 pixels": 4}
    assert report.images == 0
