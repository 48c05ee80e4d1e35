"""The cache gives back the vectors that the encoder made, never another's, and its loss costs time alone."""

import logging
import sqlite3

import numpy as np
import pytest
from PIL import Image

from evals.cache import FILE, CachingEncoder, VectorCache, encoder_key
from rag.encoders.fake import fake_encoder
from rag.errors import InputError, PictureError

TEXTS = ["red square", "blue", "red square", ""]


def caching(folder, encoder=None, **options):
    encoder = encoder or fake_encoder()
    return CachingEncoder(encoder, VectorCache(folder, encoder_key(encoder), encoder.dim, **options))


@pytest.fixture
def pictures(tmp_path):
    files = []
    for name in ("red", "blue"):
        Image.new("RGB", (32, 32), name).save(tmp_path / f"{name}.png")
        files.append(tmp_path / f"{name}.png")
    return files


def test_vectors_from_the_cache_are_the_encoders(tmp_path, pictures):
    plain = fake_encoder()
    for reused in (0, 6):
        encoder = caching(tmp_path)
        np.testing.assert_array_equal(encoder.encode_texts(TEXTS), plain.encode_texts(TEXTS))
        np.testing.assert_array_equal(encoder.encode_images(pictures), plain.encode_images(pictures))
        assert encoder.counts["reused"] == reused
        assert encoder.fingerprint == plain.fingerprint
        encoder._cache.close()


def test_a_picture_is_known_by_its_content_not_by_its_name(tmp_path, pictures):
    encoder = caching(tmp_path)
    red = encoder.encode_images([pictures[0]])
    copy = tmp_path / "copy.png"
    copy.write_bytes(pictures[0].read_bytes())
    assert encoder.encode_images([copy, str(copy), copy.read_bytes()]).shape == (3, encoder.dim)
    assert encoder.counts == {"encoded": 1, "reused": 3}
    copy.write_bytes(pictures[1].read_bytes() + b"\0")
    assert not np.array_equal(encoder.encode_images([copy]), red)


def test_a_text_is_no_picture_and_another_encoder_has_vectors_of_its_own(tmp_path):
    first, second = caching(tmp_path), caching(tmp_path, fake_encoder(dim=32))
    first.encode_texts(["red"])
    first._cache.flush()
    assert second.encode_texts(["red"]).shape == (1, 32)
    assert second.counts["reused"] == 0
    assert encoder_key(fake_encoder()) != encoder_key(fake_encoder(window=8))


def test_pictures_that_are_no_files_are_encoded_each_time(tmp_path):
    encoder = caching(tmp_path)
    picture = Image.new("RGB", (8, 8), "red")
    for _ in range(2):
        encoder.encode_images([picture])
    assert encoder.counts == {"encoded": 2, "reused": 0}


def test_what_the_encoder_refuses_is_refused_in_its_own_words(tmp_path):
    encoder = caching(tmp_path)
    with pytest.raises(InputError, match="one string"):
        encoder.encode_texts("red")
    with pytest.raises(InputError, match="as a text"):
        encoder.encode_texts([None])
    with pytest.raises(PictureError):
        encoder.encode_images([tmp_path / "gone.png"])
    assert encoder.encode_texts([]).shape == (0, encoder.dim)


@pytest.mark.parametrize("damage", ["rubbish", "other table", "folder"])
def test_a_file_that_cannot_be_used_is_ignored_with_a_message(tmp_path, caplog, damage):
    if damage == "rubbish":
        (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    elif damage == "other table":
        with sqlite3.connect(tmp_path / FILE) as file:
            file.execute("CREATE TABLE vectors (something TEXT)")
    else:
        (tmp_path / FILE).mkdir()
    with caplog.at_level(logging.WARNING):
        encoder = caching(tmp_path)
        for _ in range(2):
            np.testing.assert_array_equal(encoder.encode_texts(TEXTS), fake_encoder().encode_texts(TEXTS))
        encoder._cache.close()
    assert "embeddings are not cached" in caplog.text
    assert FILE in caplog.text


def test_a_damaged_vector_is_encoded_again(tmp_path):
    encoder = caching(tmp_path)
    encoder.encode_texts(["red", "blue", "green"])
    encoder._cache.close()
    with sqlite3.connect(tmp_path / FILE) as file:
        contents = [row[0] for row in file.execute("SELECT content FROM vectors ORDER BY content")]
        file.execute("UPDATE vectors SET vector = X'00' WHERE content = ?", contents[:1])
        file.execute("UPDATE vectors SET vector = zeroblob(?) WHERE content = ?", (4 * encoder.dim, contents[1]))
    again = caching(tmp_path)
    expected = fake_encoder().encode_texts(["red", "blue", "green"])
    np.testing.assert_array_equal(again.encode_texts(["red", "blue", "green"]), expected)
    assert again.counts == {"encoded": 2, "reused": 1}


def test_the_bound_holds_and_the_longest_unused_go_first(tmp_path):
    size = 4 * fake_encoder().dim
    encoder = caching(tmp_path, bound=3 * size)
    for text in ("one", "two", "three"):
        encoder.encode_texts([text])
        encoder._cache.flush()
    encoder.encode_texts(["one"])
    encoder.encode_texts(["four"])
    encoder._cache.close()
    again = caching(tmp_path)
    again.encode_texts(["one", "three", "four"])
    assert again.counts == {"encoded": 0, "reused": 3}
    again.encode_texts(["two"])
    assert again.counts["encoded"] == 1


def test_two_caches_over_one_file_share_what_is_written(tmp_path):
    first, second = caching(tmp_path), caching(tmp_path)
    first.encode_texts(["red"])
    first._cache.flush()
    second.encode_texts(["red"])
    assert second.counts == {"encoded": 0, "reused": 1}
    first._cache.close()
    second._cache.close()
