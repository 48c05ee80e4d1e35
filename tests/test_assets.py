"""Stored pictures: named by content, complete or absent, the same however often they are stored."""

from __future__ import annotations

import hashlib
import os
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ingestion.assets import PictureStore
from rag.errors import PictureError, StoreError
from rag.pictures import open_picture


def encoded(kind: str, mode: str = "RGB", **save: object) -> bytes:
    buffer = BytesIO()
    Image.new(mode, (20, 30)).save(buffer, kind, **save)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("GIF", ".gif"), ("WEBP", ".webp")])
def test_web_formats_are_kept_byte_for_byte(tmp_path: Path, kind: str, suffix: str):
    data = encoded(kind)
    stored = PictureStore(tmp_path).put(data)
    digest = hashlib.sha256(data).hexdigest()
    assert stored.path == tmp_path / digest[:2] / f"{digest}{suffix}"
    assert stored.path.read_bytes() == data
    assert (stored.sha256, stored.width, stored.height) == (digest, 20, 30)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"]
)
def test_other_formats_become_png(tmp_path: Path, mode: str):
    stored = PictureStore(tmp_path).put(encoded("TIFF", mode))
    assert (stored.mime, stored.path.suffix) == ("image/png", ".png")
    with Image.open(stored.path) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (20, 30))


def test_a_conversion_stores_exactly_what_the_encoder_sees(tmp_path: Path):
    buffer = BytesIO()
    Image.new("I;16", (4, 4), 40000).save(buffer, "TIFF")
    stored = PictureStore(tmp_path).put(buffer.getvalue())
    with Image.open(stored.path) as image:
        assert image.tobytes() == open_picture(buffer.getvalue()).tobytes()


def test_a_conversion_turns_the_picture_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = PictureStore(tmp_path).put(encoded("TIFF", exif=exif))
    with Image.open(stored.path) as image:
        assert image.size == (stored.width, stored.height) == (30, 20)


def test_storing_twice_changes_nothing(tmp_path: Path):
    store = PictureStore(tmp_path)
    first = store.put(encoded("PNG"))
    before = os.stat(first.path).st_mtime_ns
    assert store.put(encoded("PNG")) == first
    assert os.stat(first.path).st_mtime_ns == before
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [first.path]


def test_what_does_not_decode_is_not_stored(tmp_path: Path):
    with pytest.raises(PictureError):
        PictureStore(tmp_path / "new").put(encoded("PNG")[:50])
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        PictureStore(tmp_path / "file").put(encoded("PNG"))


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(source: str, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match="No space left"):
        PictureStore(tmp_path).put(encoded("PNG"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_sweep_removes_what_is_not_used_and_nothing_else(tmp_path: Path):
    store = PictureStore(tmp_path / "pictures")
    store.claim("one")
    used, unused = store.put(encoded("PNG")), store.put(encoded("GIF"))
    half, own = used.path.with_name(".half.part"), used.path.with_name("notes.png")
    half.write_bytes(b"x")
    own.write_bytes(b"x")
    assert store.sweep("one", {f"ab/{used.path.name}", "https://example.com/x.png"}) == 2
    assert (used.path.is_file(), own.is_file(), unused.path.exists(), half.exists()) == (True, True, False, False)


@pytest.mark.parametrize("others", [["one", "two"], ["two", "one"], ["two"], []])
def test_pictures_that_another_collection_may_use_are_kept(tmp_path: Path, others: list[str]):
    store = PictureStore(tmp_path / "pictures")
    for name in others:
        store.claim(name)
    store.put(encoded("PNG"))
    store.claim("one")
    assert store.sweep("one", set()) == 0


def test_a_claim_that_cannot_be_written_is_a_store_error(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"pictures\.collections cannot be written"):
        PictureStore(tmp_path / "file" / "pictures").claim("one")
