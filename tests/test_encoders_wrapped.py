"""Other LlamaIndex embeddings behind our encoder: normalized, windowed, batched."""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
from llama_index.core.embeddings import MultiModalEmbedding
from PIL import Image

from rag.encoders import ClipEncoder, load_encoder
from rag.encoders.wrapped import WrappedBackend
from rag.errors import EncoderError

LIMIT = 20


class LetterEmbedding(MultiModalEmbedding):
    """Counts a to e, unnormalized; like CLIP it raises when a text is too long (here: above 20 letters)."""

    offset: float = 0.0

    def _get_text_embedding(self, text: str) -> list[float]:
        if len(text) > LIMIT:
            raise RuntimeError(f"Input {text} is too long for context length {LIMIT}")
        return [3.0 * text.count(letter) for letter in "abcde"] + [1.0 + self.offset]

    def _get_image_embedding(self, img_file_path) -> list[float]:
        assert isinstance(img_file_path, BytesIO)
        red, green, blue = Image.open(img_file_path).convert("RGB").getpixel((0, 0))
        return [float(red), float(green), float(blue), 0.0, 0.0, 1.0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_image_embedding(self, img_file_path) -> list[float]:
        return self._get_image_embedding(img_file_path)


class RefusingEmbedding(LetterEmbedding):
    def _get_text_embedding(self, text: str) -> list[float]:
        raise ValueError("no\nservice")


def test_rows_are_normalized():
    """(3, 0, …, 1) becomes its unit vector, for texts and pictures."""
    encoder = ClipEncoder.wrap(LetterEmbedding())
    np.testing.assert_allclose(encoder.encode_texts(["a"])[0], np.asarray([3, 0, 0, 0, 0, 1]) / 10**0.5, atol=1e-6)
    picture = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    np.testing.assert_allclose(np.linalg.norm(encoder.encode_images([picture, picture]), axis=1), 1, atol=1e-6)


def test_a_text_that_the_embedding_refuses_is_cut_until_it_is_taken():
    """Long texts, and one endless word, are read to the end."""
    encoder = ClipEncoder.wrap(LetterEmbedding(), window=30)
    rows = encoder.encode_texts(["a b " * 40 + "e", "x" * 100 + "e", "b"])
    assert (rows[:2, 4] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows[2], encoder.encode_texts(["b"])[0], atol=1e-6)


def test_an_embedding_that_always_refuses_is_reported_in_one_line():
    """The retry ends, and the error carries the reason."""
    with pytest.raises(EncoderError, match="no service"):
        ClipEncoder.wrap(RefusingEmbedding()).encode_texts(["some words here"])


def test_the_fingerprint_is_made_of_probes():
    """Class, model name, dimension and what the probes give; another model differs in the digest."""
    first, same = ClipEncoder.wrap(LetterEmbedding(model_name="m")), ClipEncoder.wrap(LetterEmbedding(model_name="m"))
    other = ClipEncoder.wrap(LetterEmbedding(model_name="m", offset=5))
    assert first.fingerprint == same.fingerprint
    assert first.fingerprint.digest != other.fingerprint.digest
    assert first.fingerprint.name == "LetterEmbedding m"
    assert ClipEncoder.wrap(LetterEmbedding(), name="mine").fingerprint.name == "mine"


def test_an_embedding_can_be_given_in_place_of_a_name():
    """`ClipEncoder(embedding)` and `load_encoder(embedding)` wrap it."""
    embedding = LetterEmbedding()
    expected = ClipEncoder.wrap(embedding).encode_texts(["abc"])
    np.testing.assert_array_equal(ClipEncoder(embedding).encode_texts(["abc"]), expected)
    np.testing.assert_array_equal(load_encoder(embedding).encode_texts(["abc"]), expected)


def test_empty_sequences_know_their_dimension():
    """The probes tell the dimension before anything is encoded."""
    assert ClipEncoder.wrap(LetterEmbedding()).encode_images([]).shape == (0, 6)


def test_windows_are_narrower_for_clip():
    """CLIP takes 77 tokens; where nothing is known, more is dared."""

    class MyClipEmbedding(LetterEmbedding):
        pass

    assert WrappedBackend(MyClipEmbedding()).window < WrappedBackend(LetterEmbedding()).window


@pytest.mark.skipif(find_spec("clip") is None, reason="the package openai-clip (module clip) is not installed")
def test_llama_index_clip_embedding_reads_long_texts():
    """LlamaIndex's `ClipEmbedding` raises above 77 tokens; behind our encoder it does not."""
    from llama_index.embeddings.clip import ClipEmbedding

    encoder = ClipEncoder.wrap(ClipEmbedding())
    np.testing.assert_allclose(np.linalg.norm(encoder.encode_texts(["rain and sun " * 200]), axis=1), 1, atol=1e-5)
