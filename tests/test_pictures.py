"""Pictures that nobody vouches for: every format, drawn without looking anywhere, compared by what they look like."""

from __future__ import annotations

import builtins
import gc
import gzip
import random
import threading
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance

from rag.errors import InputError, PictureError
from rag.pictures import NEAR_BITS, examine, hash_distance, open_pages, open_picture, perceptual_hash
from rag.pictures.svg import drawing_words, is_svg

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def drawing(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Some boxes and discs; another seed shows others."""
    dice = random.Random(seed)
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, side = dice.randrange(size[0]), dice.randrange(size[1]), dice.randrange(20, 120)
        colour = tuple(dice.randrange(256) for _ in range(3))
        (pen.rectangle if dice.random() < 0.5 else pen.ellipse)((x, y, x + side, y + side), fill=colour)
    return image


def encoded(image: Image.Image, kind: str, **save: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **save)
    return buffer.getvalue()


# What looks the same


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_that_was_scaled_compressed_or_brightened_looks_the_same(seed):
    image = drawing(seed)
    copies = [
        image.resize((160, 120), Image.Resampling.LANCZOS),
        image.resize((500, 375), Image.Resampling.BICUBIC),
        open_picture(encoded(image, "JPEG", quality=40)),
        open_picture(encoded(image, "WEBP", quality=40)),
        ImageEnhance.Brightness(image).enhance(0.93),
    ]
    assert max(hash_distance(perceptual_hash(image), perceptual_hash(copy)) for copy in copies) <= NEAR_BITS


def test_other_pictures_look_different():
    hashes = [perceptual_hash(drawing(seed)) for seed in range(40)]
    assert min(hash_distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 2 * NEAR_BITS


def test_pictures_that_differ_in_colour_alone_look_different():
    flags = []
    for colours in (("blue", "white", "red"), ("green", "white", "red"), ("black", "yellow", "red")):
        image = Image.new("RGB", (300, 200))
        for index, colour in enumerate(colours):
            image.paste(colour, (index * 100, 0, index * 100 + 100, 200))
        flags.append(perceptual_hash(image))
    assert min(hash_distance(flags[a], flags[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > NEAR_BITS


@settings(max_examples=50)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 255))
def test_a_picture_of_any_size_has_a_hash_of_48_digits(width, height, gray):
    found = perceptual_hash(Image.new("RGB", (width, height), (gray, gray, gray)))
    assert len(found) == 48
    assert found == perceptual_hash(Image.new("RGB", (height, width), (gray, gray, gray)))


@pytest.mark.parametrize("other", ["", "12", "x" * 48])
def test_what_is_no_hash_cannot_be_compared(other):
    with pytest.raises(InputError, match="hexadecimal"):
        hash_distance(perceptual_hash(drawing(1)), other)


# Formats


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "JPEG2000", "PPM", "TGA"])
def test_every_raster_format_opens(kind):
    assert open_picture(encoded(drawing(1), kind)).size == (320, 240)


def test_heic_opens_with_the_extra():
    heif = pytest.importorskip("pillow_heif", reason="the extra [heic] is not installed")
    heif.register_heif_opener()
    opened = examine(encoded(drawing(1), "HEIF", quality=90))
    assert (opened.format, opened.image.size) == ("HEIF", (320, 240))


def test_heic_without_the_extra_names_it(monkeypatch):
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pillow_heif":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PictureError, match=r'pip install "triptych-rag\[heic\]"'):
        open_picture(b"\0\0\0\x18ftypheic" + bytes(40))


def test_the_pages_of_a_tiff_come_one_by_one():
    pages = [drawing(seed, (60 + seed, 40)) for seed in range(3)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert examine(data).frames == 3
    found = list(open_pages(data))
    assert [page.tobytes() for page in found if isinstance(page, Image.Image)] == [page.tobytes() for page in pages]


def test_a_damaged_page_does_not_hide_the_others():
    pages = [drawing(seed, (200, 200)) for seed in range(3)]
    data = bytearray(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate"))
    with Image.open(BytesIO(data)) as file:
        file.seek(1)
        start = file.tag_v2[273][0]
    data[start : start + 60] = bytes(60)
    assert [isinstance(page, Image.Image) for page in open_pages(bytes(data))] == [True, False, True]


# Drawings


def test_a_drawing_is_drawn_large_enough_to_be_seen():
    red = f'{SVG} viewBox="0 0 100 50"><rect width="100" height="50" fill="red"/></svg>'.encode()
    image = open_picture(red)
    assert (image.size, image.getpixel((500, 200))) == ((1024, 512), (255, 0, 0))
    assert open_picture(gzip.compress(red)).tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="24" height="12"', (24, 12)),
        ('width="90000" height="45000"', (2048, 1024)),
        ('width="10in" height="5in"', (1024, 512)),
        ('width="1500" height="750"', (1500, 750)),
        ('width="100%" viewBox="0 0 16 8"', (16, 8)),
    ],
)
def test_a_drawing_has_a_bounded_size(attributes, size):
    assert open_picture(f'{SVG} {attributes}><circle r="5"/></svg>'.encode()).size == size


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "{name}"])
def test_a_drawing_never_reads_another_file(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9), "blue").save(tmp_path / "secret.png")
    address = form.format(path=tmp_path / "secret.png", name="secret.png")
    for element in ("image", "feImage"):
        for attribute in ("href", "xlink:href"):
            body = f'<{element} width="90" height="90" {attribute}="{address}"/>'
            image = open_picture(f'{SVG} width="90" height="90">{body}</svg>'.encode())
            assert image.getextrema() == ((255, 255),) * 3


def test_a_drawing_shows_the_pictures_within_it(tmp_path):
    import base64

    inner = base64.b64encode(encoded(Image.new("RGB", (9, 9), "blue"), "PNG")).decode()
    body = f'<image width="90" height="90" href="data:image/png;base64,{inner}"/>'
    image = open_picture(f'{SVG} width="90" height="90">{body}</svg>'.encode())
    assert image.getpixel((500, 500)) == (0, 0, 255)


def _laughs() -> str:
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    return f'<!DOCTYPE svg [<!ENTITY a "ha">{entities}]>{SVG} width="9" height="9"><text>&i;</text></svg>'


HOSTILE = {
    "entities": _laughs(),
    "a file as entity": f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hosts">]>{SVG}><text>&x;</text></svg>',
    "depth": f'{SVG} width="9" height="9">{"<g>" * 100_000}{"</g>" * 100_000}</svg>',
    "uses": f'{SVG} width="9" height="9"><g id="u0"><circle r="1"/></g>'
    + "".join(f'<g id="u{level}">{f"""<use href="#u{level - 1}"/>""" * 10}</g>' for level in range(1, 9))
    + "</svg>",
    "no size": f'{SVG} width="0" height="0" viewBox="0 0 0 0"></svg>',
    "no end": f"{SVG}><g>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_drawing_is_refused_or_drawn_in_bounded_size(name):
    try:
        image = open_picture(HOSTILE[name].encode())
    except PictureError:
        return
    assert max(image.size) <= 2048


def test_the_words_of_a_drawing_are_its_title_description_and_text():
    words = drawing_words(
        f"{SVG}><title>Rain</title><desc>Rain by month</desc><g><title>a bar</title></g>"
        "<text>May <tspan>12 mm</tspan></text><text>June</text></svg>".encode()
    )
    assert (words.title, words.description, words.text) == ("Rain", "Rain by month", "May 12 mm\nJune\na bar")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (f"<?xml version='1.0'?><!-- x -->{SVG}/>".encode(), True),
        (f"{SVG}/>".encode("utf-16"), True),
        (b"<html><body><svg></svg></body></html>", True),
        (b"words about <svg>", False),
        (b"\x1f\x8bnot gzip", False),
        (b"", False),
    ],
)
def test_a_drawing_is_known_by_its_beginning(data, expected):
    assert is_svg(data) is expected


# Warnings


def test_no_warning_leaks_from_many_threads(recwarn):
    gc.collect()  # what other tests left open warns when it is collected
    recwarn.clear()
    exif = Image.Exif()
    exif[0x0112] = 1
    damaged = encoded(drawing(1), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [open_picture(damaged) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    assert not recwarn.list


def test_sixteen_bits_are_scaled_as_their_range_is():
    values = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    assert np.array_equal(np.asarray(open_picture(encoded(Image.fromarray(values), "PNG")))[..., 0], values // 257)


def test_a_path_may_be_a_drawing(tmp_path: Path):
    (tmp_path / "a.svg").write_text(f'{SVG} width="100" height="100"/>')
    assert open_picture(tmp_path / "a.svg").size == (1024, 1024)


def test_a_png_that_is_cut_off_behind_its_pixels_is_shown_and_one_that_lacks_pixels_is_refused():
    buffer = BytesIO()
    Image.frombytes("RGB", (64, 64), random.Random(0).randbytes(64 * 64 * 3)).save(buffer, "PNG")
    whole = buffer.getvalue()
    assert open_picture(whole[:-12]).tobytes() == open_picture(whole).tobytes()
    with pytest.raises(PictureError):
        open_picture(whole[: len(whole) // 2])
