"""CLIP checkpoints in Hugging Face form: equal to transformers itself, whatever the batch."""

from __future__ import annotations

import json
import logging
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rag.encoders import ClipEncoder
from rag.encoders.hf_clip import pixel_recipe
from rag.encoders.hub import ALLOW_DOWNLOADS
from rag.encoders.preprocess import to_pixels
from rag.errors import EncoderError, MissingExtra
from scripts.save_random_clip import merges, save

torch = pytest.importorskip("torch", reason="the extra [clip] is not installed")
transformers = pytest.importorskip("transformers", reason="the extra [clip] is not installed")

TEXTS = ["a photo of a dog", "", "naïve 你好 🙂", "RED  house!", "a chart of rainfall by month " * 3]
LONG = "the quick brown fox jumps over the lazy dog " * 34


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


PICTURES = [noise(1, 1), noise(64, 64), noise(301, 77, 1), noise(99, 460, 2), noise(67, 64, 3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("clip") / "tiny", tiny=True)


@pytest.fixture(scope="module")
def encoder(folder) -> ClipEncoder:
    return ClipEncoder(folder, device="cpu")


@pytest.fixture
def broken(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def reference(folder: Path, texts: list[str], pictures: list[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    """What transformers' own model, tokenizer and PIL processor give, normalized."""
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    with torch.inference_mode():
        tokens = tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt")
        rows = (
            model.get_text_features(**tokens).pooler_output,
            model.get_image_features(**processor(pictures, return_tensors="pt")).pooler_output,
        )
    return tuple((row / row.norm(dim=-1, keepdim=True)).numpy() for row in rows)  # type: ignore[return-value]


def assert_same_as_transformers(folder: Path) -> None:
    """Batch of 1, batch of 32 and transformers itself agree to 1e-5, for texts and pictures of every shape."""
    texts, pictures = (TEXTS * 7)[:32], (PICTURES * 7)[:32]
    many, one = ClipEncoder(folder, "cpu"), ClipEncoder(folder, "cpu", embed_batch_size=1)
    expected_texts, expected_pictures = reference(folder, texts, pictures)
    for encoder in (many, one):
        np.testing.assert_allclose(encoder.encode_texts(texts), expected_texts, atol=1e-5)
        np.testing.assert_allclose(encoder.encode_images(pictures), expected_pictures, atol=1e-5)


def test_a_tiny_checkpoint_gives_the_vectors_of_transformers(folder):
    """Dynamic padding, our pixels and any batch size change nothing."""
    assert_same_as_transformers(folder)


@pytest.mark.slow
def test_a_checkpoint_of_the_size_of_vit_b32_gives_the_vectors_of_transformers(tmp_path):
    """The same at full size, with a text of 300 words and a picture of one pixel."""
    folder = save(tmp_path / "vit-b32")
    assert_same_as_transformers(folder)
    encoder = ClipEncoder(folder, "cpu")
    assert (encoder.dim, encoder.text_window) == (512, 75)
    rows = np.concatenate([encoder.encode_texts([LONG]), encoder.encode_images([noise(1, 1)])])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.text(max_size=300), min_size=1, max_size=6), st.integers(1, 5), st.randoms(use_true_random=False))
def test_vectors_do_not_depend_on_batch_or_order(encoder, texts, size, random):
    """A text's row is the same alone, in any batch size, and in any order."""
    order = list(range(len(texts)))
    random.shuffle(order)
    batched = encoder.model_copy(update={"embed_batch_size": size})
    together = batched.encode_texts([texts[index] for index in order])
    np.testing.assert_allclose(
        together, np.concatenate([encoder.encode_texts([texts[index]]) for index in order]), atol=1e-5
    )


def test_a_text_of_300_words_is_read_to_its_end_in_silence(encoder, caplog, capfd):
    """A change in the last word changes the vector; no library complains about the length."""
    with caplog.at_level(logging.WARNING):
        first, second = encoder.encode_texts([LONG + "dog", LONG + "sea"])
    assert np.abs(first - second).max() > 1e-4
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_an_end_marker_in_a_document_does_not_end_it(encoder):
    """`<|endoftext|>` is text like any other."""
    first, second = encoder.encode_texts(["<|endoftext|> dog", "<|endoftext|> sea"])
    assert np.abs(first - second).max() > 1e-4


def test_token_spans_cover_the_words(encoder):
    """The tokens' characters, put together, are the text without its spaces."""
    text = "A photo of the zebra!"
    spans = encoder.token_spans(text)
    assert "".join(text[start:end] for start, end in spans) == text.replace(" ", "")
    assert spans == sorted(spans)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"resample": 2},
        {"size": 64, "crop_size": 64},
        {"size": {"shortest_edge": 80}},
        {"size": {"height": 64, "width": 64}},
        {"size": {"height": 64, "width": 64}, "do_center_crop": False},
        {"do_rescale": False, "do_normalize": False},
        {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
    ],
    ids=str,
)
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: f"{picture.width}x{picture.height}")
def test_pixels_are_those_of_transformers(folder, change, picture):
    """Our tensor is `CLIPImageProcessorPil`'s for every configuration that CLIP checkpoints use."""
    config = {**json.loads((folder / "preprocessor_config.json").read_text()), **change}
    expected = transformers.CLIPImageProcessorPil.from_dict(config)(picture, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(to_pixels(picture, pixel_recipe(config)), expected, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"do_resize": False},
        {"do_center_crop": False},
        {"crop_size": 100},
        {"resample": 5},
        {"size": {"longest_edge": 64}},
        {"size": {"height": 80, "width": 80}},
        {"image_mean": 0.5},
    ],
    ids=str,
)
def test_a_processor_that_is_not_clips_is_refused(folder, change):
    """What we do not implement is an error, never approximated."""
    config = {**json.loads((folder / "preprocessor_config.json").read_text()), **change}
    with pytest.raises(EncoderError):
        pixel_recipe(config)


def test_a_processor_saved_by_transformers_5_is_read(broken, encoder):
    """processor_config.json, with the image processor inside, serves as well."""
    inner = json.loads((broken / "preprocessor_config.json").read_text())
    (broken / "preprocessor_config.json").unlink()
    (broken / "processor_config.json").write_text(json.dumps({"image_processor": inner}))
    assert ClipEncoder(broken).fingerprint.preprocessing == encoder.fingerprint.preprocessing


def test_the_fingerprint_follows_the_weights(folder, encoder, tmp_path):
    """Same seed: same digest; another seed: another one. A folder is named by its full path, which loads it again."""
    again, other = save(tmp_path / "again" / "tiny", tiny=True), save(tmp_path / "other" / "tiny", tiny=True, seed=1)
    assert ClipEncoder(again).fingerprint.digest == encoder.fingerprint.digest
    assert ClipEncoder(other).fingerprint.digest != encoder.fingerprint.digest
    assert encoder.fingerprint.name == str(folder.resolve())


def _rewrite(path: Path, **change) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def _drop_a_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors.pop("text_projection.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


BREAKS = {
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "half the weights": lambda folder: (folder / "model.safetensors").write_bytes(b"\x00" * 100),
    "a tensor is missing": _drop_a_tensor,
    "no tokenizer": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "no processor": lambda folder: (folder / "preprocessor_config.json").unlink(),
    "config is no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "another architecture": lambda folder: _rewrite(folder / "config.json", model_type="siglip"),
    "another picture size": lambda folder: _rewrite(folder / "preprocessor_config.json", size=32, crop_size=32),
}


@pytest.mark.parametrize("damage", BREAKS.values(), ids=BREAKS)
def test_a_broken_checkpoint_is_refused_in_one_line(broken, damage):
    """No vector ever comes out of a checkpoint that is not whole."""
    damage(broken)
    with pytest.raises(EncoderError) as caught:
        ClipEncoder(broken, device="cpu").encode_texts(["dog"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"device": "tpu"}, {"device": "cuda:99"}, {"precision": "int4"}, {"backend": "onnx"}]
)
def test_an_option_that_cannot_be_had_is_refused(folder, options):
    """Nothing asked for is ignored."""
    with pytest.raises(EncoderError):
        ClipEncoder(folder, **options)


def test_half_precision_stays_close(folder, encoder):
    """bf16 is allowed, and near."""
    rows = ClipEncoder(folder, "cpu", precision="bf16").encode_texts(TEXTS)
    assert ((rows * encoder.encode_texts(TEXTS)).sum(axis=1) > 0.99).all()


def test_a_model_that_is_not_here_is_not_fetched(monkeypatch, tmp_path):
    """Without permission no socket is opened, and the error says how to give it."""
    monkeypatch.delenv(ALLOW_DOWNLOADS, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", lambda *_, **__: pytest.fail("the network was touched"))
    with pytest.raises(EncoderError) as caught:
        ClipEncoder("nobody/nothing")
    assert "nobody/nothing" in caught.value.given
    assert ALLOW_DOWNLOADS in caught.value.advice


def test_a_hub_id_that_is_cached_is_used(folder, encoder, monkeypatch, tmp_path):
    """A snapshot in the cache is found by its id, and by its alias, offline."""
    monkeypatch.delenv(ALLOW_DOWNLOADS, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    home, commit = tmp_path / "models--openai--clip-vit-base-patch32", "0" * 40
    shutil.copytree(folder, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    by_alias, by_id = ClipEncoder("clip"), ClipEncoder("openai/clip-vit-base-patch32")
    assert by_alias.fingerprint == by_id.fingerprint
    assert by_alias.fingerprint.digest == encoder.fingerprint.digest


def test_a_model_is_fetched_when_that_is_allowed(folder, encoder, monkeypatch, tmp_path):
    """With permission safetensors are asked for first, and pickled weights only where there are none."""
    asked = []

    def snapshot_download(model, allow_patterns):
        asked.append((model, allow_patterns[-1]))
        ignored = shutil.ignore_patterns("model.safetensors") if len(asked) == 1 else None
        return shutil.copytree(folder, tmp_path / "snapshot", dirs_exist_ok=True, ignore=ignored)

    monkeypatch.setenv(ALLOW_DOWNLOADS, "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert ClipEncoder("some/model").fingerprint.digest == encoder.fingerprint.digest
    assert asked == [("some/model", "model*.safetensors"), ("some/model", "pytorch_model*.bin")]


def test_a_model_that_cannot_be_fetched_is_reported_in_one_line(monkeypatch, tmp_path):
    """Errors of the hub arrive as ours."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    def snapshot_download(*_, **__):
        raise LocalEntryNotFoundError("Connection refused\nPlease check")

    monkeypatch.setenv(ALLOW_DOWNLOADS, "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(EncoderError, match="Connection refused") as caught:
        ClipEncoder("some/model")
    assert "\n" not in str(caught.value)


def test_a_folder_is_used_without_the_network(folder, monkeypatch):
    """Configuration, tokenizer and weights of a folder load with every name look-up and connection refused."""

    def refuse(*_, **__):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(ClipEncoder(folder, "cpu").encode_texts(["dog"])) == 1


def test_without_torch_the_extra_is_named(folder, monkeypatch):
    """The error is the command that installs it."""
    monkeypatch.setattr("rag.encoders.hf_clip.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"triptych-rag\[clip\]"):
        ClipEncoder(folder)


def test_the_script_learns_merges_in_a_fixed_order():
    """The tokenizer of the random checkpoint is the same everywhere."""
    assert merges(3) == merges(200)[:3]
    assert len(set(merges(200))) == len(merges(200))
