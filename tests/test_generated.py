"""Captions by a model: only where nobody said anything, once a picture, without embedding anything else again."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from ingestion.generated import MAX_CHARACTERS, ROW, judge
from rag.cli import cli
from rag.corpus import Corpus
from rag.errors import EncoderError, InputError, LLMError
from rag.settings import Settings
from tests.openai_server import KEY, MODEL, OpenAIServer, Reply

FAKE = "fake"


def png(seed: int) -> bytes:
    image = Image.new("RGB", (80, 60), (seed * 40 % 256, 90, 160))
    ImageDraw.Draw(image).ellipse((seed * 5, 10, 40 + seed * 5, 50), fill="white")
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures without words (two of them the same), one with an alt text, and some text."""
    root = tmp_path / "in"
    root.mkdir()
    (root / "a.png").write_bytes(png(1))
    (root / "b.png").write_bytes(png(2))
    (root / "fig.png").write_bytes(png(3))
    (root / "page.md").write_text("# Page\n\nSome text.\n\n![A described disc](fig.png)\n")
    (root / "other").mkdir()
    (root / "other" / "a.png").write_bytes(png(1))
    return root


def opened(tmp_path: Path, server: OpenAIServer | None = None) -> Corpus:
    known: dict[str, Any] = {"corpus": tmp_path / "corpus", "encoder": FAKE}
    if server:
        known |= {"llm": MODEL, "llm_base_url": server.url, "llm_api_key": KEY}
    return Corpus.open(tmp_path / "corpus", settings=Settings.load(**known))


def pictures(corpus: Corpus) -> dict[str, Any]:
    nodes = corpus.store.get_nodes(with_vectors=True)
    return {
        f"{Path(node.metadata['source']).parent.name}/{Path(node.metadata['source']).name}": node
        for node in nodes
        if node.metadata["source"].endswith(".png") or node.metadata.get("image_sha256")
    }


def test_captions_are_added_without_touching_anything_else(folder, tmp_path):
    with OpenAIServer(["A blue disc.", "A green disc."]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(folder)
        before = {node.node_id: node for node in corpus.store.get_nodes()}
        report = corpus.caption()
        after = {node.node_id: node for node in corpus.store.get_nodes()}
        assert not server.problems
        assert (report.captioned, report.reused, report.kept, report.asked) == (3, 1, 1, 2)
        assert set(before) == set(after)
        for key, node in before.items():
            assert np.allclose(node.embedding, after[key].embedding)
            if node.metadata.get("caption_source") == "alt" or "image_sha256" not in node.metadata:
                assert after[key].metadata == node.metadata
        found = pictures(corpus)["in/a.png"]
        assert (found.metadata["caption"], found.metadata["caption_source"]) == ("A blue disc.", "generated")
        assert found.metadata["caption_model"] == MODEL
        assert found.text == "A blue disc."
        assert np.allclose(found.text_embedding, corpus.encoder.encode_texts(["A blue disc."])[0], atol=1e-5)
        assert corpus.search("blue disc", filters="caption_source = generated")[0].caption == "A blue disc."


def test_a_second_run_asks_nothing_and_a_new_copy_is_known(folder, tmp_path):
    with OpenAIServer(["A disc."]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(folder)
        corpus.caption()
        asked = server.calls
        (folder / "again.png").write_bytes(png(2))
        corpus.ingest(folder)
        report = corpus.caption()
        assert (server.calls, report.asked, report.captioned, report.reused) == (asked, 0, 1, 1)


def test_overwriting_describes_anew_but_never_what_a_document_says(folder, tmp_path):
    with OpenAIServer(["Old.", "Old.", "New."]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(folder)
        corpus.caption()
        report = corpus.caption(overwrite=True)
        assert (report.asked, report.captioned, report.kept) == (2, 3, 1)
        captions = sorted(node.metadata["caption"] for node in pictures(corpus).values())
        assert captions == ["A described disc", "New.", "New.", "New."]


def test_a_caption_outlives_a_change_of_its_document(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "fig.png").write_bytes(png(3))
    (root / "page.md").write_text("Some text.\n\n![](fig.png)\n")
    with OpenAIServer(["A disc."]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(root)
        corpus.caption()
        (root / "page.md").write_text("Other text, before.\n\nSome text.\n\n![](fig.png)\n")
        corpus.ingest(root)
        (node,) = pictures(corpus).values()
        assert (node.metadata["caption"], node.metadata["caption_source"]) == ("A disc.", "generated")
        assert node.text_embedding is not None
        assert server.calls == 1


def test_bad_answers_are_counted_and_leave_no_caption(folder, tmp_path):
    with OpenAIServer(["I'm sorry, I can't help with that.", "  "]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(folder)
        report = corpus.caption()
        assert report.captioned == 0
        assert sum(report.left_out.values()) == 3
        assert set(report.left_out) == {"the model refused", "the model said nothing"}
        assert all("caption" not in node.metadata for name, node in pictures(corpus).items() if "page" not in name)


def test_one_failure_costs_one_picture_and_three_in_a_row_end_the_run(folder, tmp_path):
    busy = Reply(status=500, error="out of memory")
    with OpenAIServer([busy, busy, "A disc."]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(folder)
        report = corpus.caption()
        assert report.captioned >= 1
        assert any("failed" in reason for reason in report.left_out)
    for seed in range(4, 4 + ROW):
        (folder / f"{seed}.png").write_bytes(png(seed))
    with OpenAIServer([busy]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(folder)
        with pytest.raises(LLMError, match="out of memory"):
            corpus.caption()


def test_a_filter_bounds_the_pictures(folder, tmp_path):
    with OpenAIServer(["A disc."]) as server, opened(tmp_path, server) as corpus:
        corpus.ingest(folder)
        assert corpus.caption(filters='source contains "b.png"').pictures == 1


def test_without_a_model_it_says_what_is_needed(folder, tmp_path):
    with opened(tmp_path) as corpus:
        corpus.ingest(folder)
        with pytest.raises(InputError, match="--llm NAME"):
            corpus.caption()
        with pytest.raises(InputError, match="one of them"):
            corpus.caption(llm="a", model="b")


def test_the_command_prints_the_report(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ENCODER", FAKE)
    with OpenAIServer(["A disc."]) as server:
        monkeypatch.setenv("TRIPTYCH_LLM_BASE_URL", server.url)
        monkeypatch.setenv("TRIPTYCH_LLM_API_KEY", KEY)
        where = ["--corpus", str(tmp_path / "corpus"), "--json"]
        assert CliRunner().invoke(cli, ["ingest", str(folder), *where]).exit_code == 0
        done = CliRunner().invoke(cli, ["caption", "--llm", MODEL, *where])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["captioned"] == 3


@pytest.mark.parametrize(
    ("answer", "caption"),
    [
        ("A chart of rain.", "A chart of rain."),
        (' "A chart\nof rain." ', "A chart of rain."),
        ("Sure! Here is a caption for the picture: **A chart of rain.**", "A chart of rain."),
        ("Caption: A chart.", "A chart."),
        ("", ""),
        ("...", ""),
        ("I’m sorry, but I cannot see it.", ""),
        ("As an AI, I do not see pictures.", ""),
        ("Unfortunately, no picture came through.", ""),
        ("No image was provided.", ""),
        ("I-beams of a bridge.", "I-beams of a bridge."),
        ("Sorry sight of a house.", ""),
    ],
)
def test_an_answer_is_cleaned_or_refused(answer, caption):
    assert judge(answer).caption == caption


@pytest.mark.parametrize("answer", ["A short sentence. " * 100, "word " * 1000, "x" * 5000])
def test_a_long_answer_is_cut_at_a_sentence_or_a_word(answer):
    verdict = judge(answer)
    assert (verdict.problem, len(verdict.caption) <= MAX_CHARACTERS) == ("shortened", True)
    assert answer.startswith(verdict.caption)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A BLIP of two narrow layers and random weights, in published form."""
    torch = pytest.importorskip("torch", reason="the extra [clip] is not installed")
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    folder = tmp_path_factory.mktemp("blip")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *"abcdefghijklmnopqrstuvwxyz", "disc", "blue"]
    (folder / "vocab.txt").write_text("\n".join(words))
    narrow = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    text = {
        **narrow,
        "vocab_size": len(words),
        "bos_token_id": 5,
        "sep_token_id": 3,
        "eos_token_id": 3,
        "pad_token_id": 0,
        "encoder_hidden_size": 16,
    }
    config = BlipConfig(text_config=text, vision_config={**narrow, "image_size": 32, "patch_size": 16})
    torch.manual_seed(1)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    processor = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(processor, BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    return folder


def test_a_local_model_describes_the_same_picture_in_the_same_words(checkpoint, tmp_path):
    from rag.encoders.local_captioner import LocalCaptioner

    (tmp_path / "a.png").write_bytes(png(1))
    captioner = LocalCaptioner(str(checkpoint), device="cpu")
    first = captioner.caption(tmp_path / "a.png")
    assert isinstance(first, str)
    assert captioner.caption(str(tmp_path / "a.png")) == first


def test_a_local_model_captions_a_corpus(checkpoint, folder, tmp_path):
    with opened(tmp_path) as corpus:
        corpus.ingest(folder)
        report = corpus.caption(model=str(checkpoint))
        assert report.captioned + sum(report.left_out.values()) == 3
        assert report.asked == 2


@pytest.mark.parametrize("kind", ["clip", None])
def test_another_architecture_is_refused(tmp_path, kind):
    pytest.importorskip("torch", reason="the extra [clip] is not installed")
    from rag.encoders.local_captioner import LocalCaptioner

    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(EncoderError, match="blip, blip-2, git"):
        LocalCaptioner(str(tmp_path))


def test_weights_that_lack_tensors_are_refused(checkpoint, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    from rag.encoders.local_captioner import LocalCaptioner

    broken = shutil.copytree(checkpoint, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights.pop(sorted(weights)[3])
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "a.png").write_bytes(png(1))
    with pytest.raises(EncoderError, match="lack"):
        LocalCaptioner(str(broken), device="cpu").caption(tmp_path / "a.png")
