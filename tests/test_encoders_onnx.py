"""ONNX bundles: run without torch, tower by tower. The bundle is made by hand; the one that ships is tried if built."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rag.encoders import ClipEncoder, describe
from rag.encoders.onnx_bundled import BUNDLED, FILES, OnnxBackend
from rag.errors import EncoderError

onnx = pytest.importorskip("onnx", reason="the extra [dev] is not installed")

DIM = 4
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue"]
MODEL = {
    "name": "by-hand",
    "dim": DIM,
    "text": {"context": 10},
    "image": {
        "size": 8,
        "resize": "pad",
        "interpolation": "bilinear",
        "background": [255, 255, 255],
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
    },
}

needs_bundled = pytest.mark.skipif(
    not all((BUNDLED / name).is_file() for name in FILES), reason="the bundled encoder's files are not built"
)


def _graph(nodes, inputs, constants):
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "by-hand",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["b", DIM])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def text_graph():
    """The sum of the tokens' rows where the mask is 1: each word has its own axis, specials have the last."""
    from onnx import TensorProto, helper

    rows = np.zeros((len(VOCABULARY), DIM), dtype=np.float32)
    rows[:4, 3], rows[4:, :3] = 0.1, np.eye(3)
    return _graph(
        [
            helper.make_node("Gather", ["rows", "input_ids"], ["words"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
            helper.make_node("Mul", ["words", "column"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "middle"], ["sum"], keepdims=0),
            helper.make_node("LpNormalization", ["sum"], ["embedding"], axis=1, p=2),
        ],
        [("input_ids", TensorProto.INT64, ["b", "t"]), ("attention_mask", TensorProto.INT64, ["b", "t"])],
        {"rows": rows, "last": np.asarray([2], dtype=np.int64), "middle": np.asarray([1], dtype=np.int64)},
    )


def image_graph():
    """The mean colour, with a fourth axis that is always 0.01."""
    from onnx import TensorProto, helper

    return _graph(
        [
            helper.make_node("ReduceMean", ["pixel_values", "sides"], ["colour"], keepdims=0),
            helper.make_node("Gemm", ["colour", "matrix", "bias"], ["raw"]),
            helper.make_node("LpNormalization", ["raw"], ["embedding"], axis=1, p=2),
        ],
        [("pixel_values", TensorProto.FLOAT, ["b", 3, 8, 8])],
        {
            "sides": np.asarray([2, 3], dtype=np.int64),
            "matrix": np.eye(3, DIM, dtype=np.float32),
            "bias": np.asarray([0, 0, 0, 0.01], dtype=np.float32),
        },
    )


def save_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=7)
    tokenizer.save(str(path))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    onnx.save(text_graph(), folder / "text.onnx")
    onnx.save(image_graph(), folder / "image.onnx")
    save_tokenizer(folder / "tokenizer.json")
    (folder / "model.json").write_text(json.dumps(MODEL))
    return folder


@pytest.fixture
def broken(bundle, tmp_path) -> Path:
    for name in FILES:
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    return tmp_path


def test_a_bundle_gives_the_vectors_computed_by_hand(bundle):
    """`red red blue` between two specials is (2, 0, 1, 0.2), scaled to length 1."""
    encoder = ClipEncoder(bundle)
    expected = np.asarray([2, 0, 1, 0.2]) / np.linalg.norm([2, 0, 1, 0.2])
    np.testing.assert_allclose(encoder.encode_texts(["Red red blue", "green"])[0], expected, atol=1e-6)
    assert (encoder.dim, encoder.text_window, encoder.fingerprint.name) == (DIM, 8, str(bundle.resolve()))


def test_a_picture_finds_its_colour(bundle):
    """Pixels reach the image tower as the recipe of model.json says."""
    encoder = ClipEncoder(bundle)
    pictures = [Image.new("RGB", (3, 3), colour) for colour in ("red", "lime", "blue")]
    scores = encoder.encode_texts(["red", "green", "blue"]) @ encoder.encode_images(pictures).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_padding_and_batches_change_nothing(bundle):
    """The tokenizer file's own truncation and padding are switched off; a long text counts to its end."""
    texts = ["red", "", "green " * 30 + "blue", "blue red"]
    many, one = ClipEncoder(bundle), ClipEncoder(bundle, embed_batch_size=1)
    np.testing.assert_allclose(many.encode_texts(texts), one.encode_texts(texts), atol=1e-6)
    assert many.encode_texts(texts)[2, 2] > 0
    assert len(many.token_spans("red " * 20)) == 20


def test_a_tower_is_loaded_only_when_it_is_used(bundle):
    """A search by words never loads the image tower, and the fingerprint loads neither."""
    backend = OnnxBackend(bundle)
    encoder = ClipEncoder.over(backend)
    assert encoder.fingerprint.dim == DIM
    assert not {"_text_tower", "_image_tower"} & vars(backend).keys()
    encoder.encode_texts(["red"])
    assert "_image_tower" not in vars(backend)


def test_the_digest_covers_every_file(broken):
    """A changed byte anywhere is another encoder."""
    before = ClipEncoder(broken).fingerprint.digest
    (broken / "model.json").write_text(json.dumps({**MODEL, "note": 1}))
    assert ClipEncoder(broken).fingerprint.digest != before


def _model(**change):
    return lambda folder: (folder / "model.json").write_text(json.dumps({**MODEL, **change}))


BREAKS = {
    "no image tower": lambda folder: (folder / "image.onnx").unlink(),
    "no JSON": lambda folder: (folder / "model.json").write_text("{"),
    "a list": lambda folder: (folder / "model.json").write_text("[]"),
    "no dim": _model(dim=None),
    "another dim": _model(dim=5),
    "no text part": _model(text=None),
    "a strange resize": _model(image={**MODEL["image"], "resize": "stretch"}),
    "two means": _model(image={**MODEL["image"], "mean": [0, 0]}),
    "a wrong size": _model(image={**MODEL["image"], "size": 9}),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").write_text("{}"),
    "no graph": lambda folder: (folder / "image.onnx").write_bytes(b"nothing"),
    "another graph": lambda folder: (folder / "image.onnx").write_bytes((folder / "text.onnx").read_bytes()),
}


@pytest.mark.parametrize("damage", BREAKS.values(), ids=BREAKS)
def test_a_broken_bundle_is_refused_in_one_line(broken, damage):
    """Every defect is an `EncoderError`, at loading or at first use."""
    damage(broken)
    with pytest.raises(EncoderError) as caught:
        ClipEncoder(broken).encode_images([Image.new("RGB", (2, 2))])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"device": "cuda"}, {"precision": "bf16"}, {"backend": "torch"}])
def test_an_option_that_does_not_fit_is_refused(bundle, options):
    """Bundles run on the CPU in fp32."""
    with pytest.raises(EncoderError):
        ClipEncoder(bundle, **options)


def test_a_bundle_runs_without_torch(bundle):
    """Neither torch nor transformers is imported for a bundle."""
    code = (
        "import sys; from rag.encoders import ClipEncoder; from PIL import Image;"
        f"e = ClipEncoder({str(bundle)!r}, threads=1);"
        "e.encode_texts(['red']); e.encode_images([Image.new('L', (1, 1))]);"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@needs_bundled
def test_the_bundled_encoder_is_what_the_table_says():
    """Dimension and window in the table are those of the files; vectors do not depend on the batch."""
    encoder, info = ClipEncoder(), describe()[0]
    assert (encoder.dim, encoder.text_window) == (info.dim, info.window)
    texts = ["a red circle", "", "rain " * 400]
    np.testing.assert_allclose(
        encoder.encode_texts(texts), np.concatenate([encoder.encode_texts([text]) for text in texts]), atol=1e-5
    )
    pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    np.testing.assert_allclose(
        encoder.encode_images(pictures),
        np.concatenate([encoder.encode_images([picture]) for picture in pictures]),
        atol=1e-5,
    )
