"""What every encoder promises, shown on the fake whose vectors can be computed by hand."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import TextNode
from PIL import Image

import rag.encoders
from rag.encoders import ClipEncoder, describe, load_encoder
from rag.encoders.backend import unit_rows
from rag.encoders.fake import COLOURS, FakeBackend, fake_encoder, word_index
from rag.encoders.windows import length_sorted, pool, window_bounds
from rag.errors import EncoderError, InputError, PictureError
from tests.patience import LONG

RED, BLUE = Image.new("RGB", (5, 9), "red"), Image.new("RGB", (1, 1), "blue")
WORDS = st.sampled_from(["red", "blue", "fox", "lazy", "dog", "", " ", "naïve", "你好", "\ud800", "a.b"])
TEXTS = st.lists(st.lists(WORDS, max_size=40).map(" ".join), min_size=1, max_size=12)


def test_a_text_is_the_bag_of_its_words():
    """`red fox` adds 1 at the index of each word and is then scaled to length 1."""
    expected = np.zeros(64, dtype=np.float32)
    expected[[word_index("red", 64), word_index("fox", 64)]] = 2**-0.5
    np.testing.assert_allclose(fake_encoder().encode_texts(["Red fox"])[0], expected, atol=1e-6)


def test_a_picture_is_the_bag_of_its_colours():
    """A red picture is found by "red", and not by "blue"."""
    encoder = fake_encoder()
    scores = encoder.encode_texts(["red", "blue"]) @ encoder.encode_images([RED, BLUE]).T
    np.testing.assert_allclose(scores, np.eye(2), atol=1e-6)


def test_colour_words_never_collide_with_other_words():
    """The colour words have their own indices, and index 0 stands for nothing."""
    assert [word_index(word, 64) for word in COLOURS] == list(range(1, 13))
    assert all(word_index(f"word{number}", 64) > 12 for number in range(200))


@settings(max_examples=60)
@given(TEXTS, st.integers(1, 7), st.randoms(use_true_random=False))
def test_vectors_do_not_depend_on_batch_or_order(texts, size, random):
    """A text's row is the same alone, in any batch size, and in any order."""
    encoder = fake_encoder(window=8, embed_batch_size=size)
    order = list(range(len(texts)))
    random.shuffle(order)
    together = encoder.encode_texts([texts[index] for index in order])
    alone = np.concatenate([fake_encoder(window=8).encode_texts([texts[index]]) for index in order])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_empty_sequences_give_empty_arrays():
    """No texts and no pictures are (0, dim) float32."""
    encoder = fake_encoder(dim=32)
    for rows in (encoder.encode_texts([]), encoder.encode_images([])):
        assert (rows.shape, rows.dtype) == ((0, 32), np.float32)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "...", "\u200b"])
def test_a_text_without_words_has_the_vector_of_the_empty_text(text):
    """Nothing becomes NaN or an error."""
    encoder = fake_encoder()
    np.testing.assert_array_equal(encoder.encode_texts([text]), encoder.encode_texts([""]))


def test_a_long_text_is_pooled_over_its_windows():
    """12 words in windows of 8 with an overlap of 1: (8·u₁ + 5·u₂), normalized; the last word counts."""
    encoder = fake_encoder(window=8)
    words = ["fox"] * 7 + ["red"] + ["blue"] * 4
    first, second = encoder.encode_texts([" ".join(words[:8]), " ".join(words[7:])])
    expected = 8 * first + 5 * second
    np.testing.assert_allclose(
        encoder.encode_texts([" ".join(words)])[0], expected / np.linalg.norm(expected), atol=1e-6
    )


@given(st.integers(0, 500), st.integers(1, 80))
def test_windows_cover_every_token_and_never_exceed_the_window(count, window):
    """Every token lies in a window, windows are in order, and neighbours overlap by the stated share."""
    bounds = window_bounds(count, window)
    assert {token for start, end in bounds for token in range(start, end)} == set(range(count))
    assert all(end - start <= window for start, end in bounds)
    assert all(left[1] - right[0] == window // 8 for left, right in pairwise(bounds))


@given(st.lists(st.integers(0, 99), max_size=50), st.integers(1, 9))
def test_batches_hold_each_index_once_longest_first(lengths, size):
    """Sorting for padding loses nothing."""
    batches = list(length_sorted(lengths, size))
    flat = [index for batch in batches for index in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[index] for index in flat] == sorted(lengths, reverse=True)
    assert all(1 <= len(batch) <= size for batch in batches)


def test_pooling_weights_windows_by_their_tokens():
    """Three tokens weigh three times one; an empty window weighs one."""
    vectors = np.asarray([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    np.testing.assert_allclose(pool(vectors, [0, 0, 1], [3, 1, 0], 2), [[3, 1], [1, 0]])


@pytest.mark.parametrize("raw", [[[np.nan, 1]], [[0, 0]], [[np.inf, 1]], [[1, 2, 3]], [[1, 2], [1, 2]]])
def test_vectors_without_a_direction_are_refused(raw):
    """NaN, infinity, zero and a wrong shape are errors, never rows."""
    with pytest.raises(EncoderError):
        unit_rows(np.asarray(raw, dtype=np.float32), 1, 2)


def test_token_spans_are_the_characters_of_the_tokens():
    """The splitter can cut where the tokens are."""
    text = "A red, naïve 你好"
    assert [text[start:end] for start, end in fake_encoder().token_spans(text)] == ["A", "red", "naïve", "你好"]


def test_a_batch_with_a_broken_picture_names_it():
    """One bad picture raises, and the error says which."""
    with pytest.raises(PictureError, match=r"gone\.png"):
        fake_encoder().encode_images([RED, "gone.png"])


@pytest.mark.parametrize("call", [lambda e: e.encode_texts("red"), lambda e: e.encode_images("red.png")])
def test_a_single_item_is_not_taken_for_a_sequence(call):
    """A bare string would be encoded letter by letter."""
    with pytest.raises(InputError, match="sequence"):
        call(fake_encoder())


def test_pictures_keep_their_order_over_many_batches():
    """Decoding ahead, in threads, shuffles nothing; one object may stand there twice."""
    encoder = fake_encoder(embed_batch_size=3)
    colours = ["red", "blue", "green", "cyan", "red", "pink", "blue"]
    shared = {colour: Image.new("RGB", (3, 3), colour) for colour in colours}
    rows = encoder.encode_images([shared[colour] for colour in colours])
    np.testing.assert_allclose(rows, encoder.encode_texts(colours), atol=1e-6)


def test_a_text_that_is_no_string_is_refused():
    """None is an input error, not a crash in a tokenizer."""
    with pytest.raises(InputError, match="NoneType"):
        fake_encoder().encode_texts(["red", None])


class WaitingBackend(FakeBackend):
    """Encodes only after the event loop has shown that it is alive."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = threading.Event()

    def embed_texts(self, windows):
        assert self.alive.wait(LONG), "the event loop was blocked"
        return super().embed_texts(windows)

    def embed_images(self, prepared):
        assert self.alive.wait(LONG), "the event loop was blocked"
        return super().embed_images(prepared)


@pytest.mark.parametrize(
    "call",
    [
        lambda e: e.aencode_texts(["red"]),
        lambda e: e.aencode_images([RED]),
        lambda e: e.aget_query_embedding("red"),
        lambda e: e.aget_text_embedding("red"),
        lambda e: e.aget_text_embedding_batch(["red", "blue"]),
        lambda e: e.aget_image_embedding(RED),
        lambda e: e.aget_image_embedding_batch([RED, BLUE]),
        lambda e: e.acall([TextNode(text="red")]),
    ],
)
async def test_the_event_loop_is_never_blocked(call):
    """While an encoding waits, the loop beats; the encoding waits for that beat."""
    backend = WaitingBackend()
    running = asyncio.create_task(call(ClipEncoder.over(backend)))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not running.done()
    backend.alive.set()
    assert len(await running)


async def test_llama_index_hooks_give_the_rows_of_encode():
    """Query, text and picture, one or many, sync and async, are the same vectors as lists of floats."""
    encoder = fake_encoder()
    assert isinstance(encoder, MultiModalEmbedding)
    text, picture = encoder.encode_texts(["red fox"])[0].tolist(), encoder.encode_images([RED])[0].tolist()
    assert encoder.get_query_embedding("red fox") == text == await encoder.aget_query_embedding("red fox")
    assert encoder.get_text_embedding("red fox") == text == await encoder.aget_text_embedding("red fox")
    assert encoder.get_text_embedding_batch(["red fox"]) == [text]
    assert await encoder.aget_text_embedding_batch(["red fox"]) == [text]
    assert encoder.get_image_embedding(RED) == picture == await encoder.aget_image_embedding(RED)
    assert encoder.get_image_embedding_batch([RED]) == [picture] == await encoder.aget_image_embedding_batch([RED])
    assert encoder([TextNode(text="red fox")])[0].embedding == text


def test_copies_encode_the_same():
    """Pickles (worker processes) and copies keep the very model, even one that has no name."""
    encoder = fake_encoder(dim=32, window=5)
    for twin in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder), copy.copy(encoder)):
        assert twin.fingerprint == encoder.fingerprint
    assert ClipEncoder.from_dict(ClipEncoder("fake").to_dict()).fingerprint == ClipEncoder("fake").fingerprint


def test_the_fingerprint_tells_encoders_apart():
    """Another dimension or another window is another encoder; the same one is equal."""
    assert fake_encoder().fingerprint == fake_encoder().fingerprint
    prints = {fake_encoder().fingerprint, fake_encoder(dim=32).fingerprint, fake_encoder(window=9).fingerprint}
    assert len(prints) == 3


@pytest.mark.parametrize("name", ["bundeld", "", "a/b/c", "./nowhere", "~/nowhere"])
def test_an_unknown_name_is_refused_with_the_names_that_are_known(name):
    """The error names what was given, the aliases, and the next step."""
    with pytest.raises(EncoderError) as caught:
        ClipEncoder(name)
    assert repr(name) in caught.value.given
    assert "bundled" in caught.value.allowed
    assert "triptych encoders" in caught.value.advice


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    """An empty folder is not an encoder."""
    with pytest.raises(EncoderError, match="holds no encoder"):
        ClipEncoder(tmp_path)


@pytest.mark.parametrize(
    "options", [{"backend": "tpu"}, {"backend": "torch"}, {"device": "cuda"}, {"precision": "fp16"}]
)
def test_an_option_that_does_not_fit_is_refused(options):
    """Nothing asked for is ignored."""
    with pytest.raises(EncoderError):
        ClipEncoder("fake", **options)


def test_a_misspelt_option_is_refused():
    """pydantic would swallow it."""
    with pytest.raises(TypeError, match="devcie"):
        ClipEncoder("fake", devcie="cpu")


def test_load_encoder_takes_names_and_encoders():
    """An encoder comes back as it is; a name is loaded."""
    encoder = fake_encoder()
    assert load_encoder(encoder) is encoder
    assert load_encoder("fake", embed_batch_size=3).embed_batch_size == 3


def test_the_table_starts_with_the_default_and_hides_the_fake():
    """`triptych encoders` shows what users may choose, each alias once."""
    names = [info.name for info in describe()]
    assert names[0] == "bundled"
    assert "fake" not in names
    assert len(set(names)) == len(names)


def test_public_names_are_complete_and_sorted():
    """`__all__` is what can be imported."""
    assert sorted(rag.encoders.__all__) == rag.encoders.__all__
    assert all(getattr(rag.encoders, name) for name in rag.encoders.__all__)
    with pytest.raises(AttributeError):
        _ = rag.encoders.nothing


def test_describing_encoders_imports_nothing_heavy():
    """`triptych encoders` answers at once."""
    code = (
        "import sys, rag.encoders; rag.encoders.describe();"
        "print([m for m in ('torch','transformers','onnxruntime','llama_index','numpy','PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
