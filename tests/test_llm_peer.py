"""A real peer: `transformers serve` with a tiny random LLaVA, asked over HTTP through `load_llm` and `Answerer`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from rag.answer.answerer import Answerer
from rag.answer.llm import load_llm
from rag.schema import Hit
from tests.patience import until

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("uvicorn", reason='needs pip install "transformers[serving]"')
pytestmark = pytest.mark.slow

READY_WITHIN = 600.0
"""Seconds, most of which are for importing."""
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}\n{% endfor %}assistant: "
)


def build_tiny_llava(folder: Path) -> None:
    """Save a random LLaVA (CLIP vision and Llama of two layers, 600 tokens) in published form."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator([Path(__file__).read_text(encoding="utf-8")], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
        model_max_length=4096,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=32, patch_size=16, projection_dim=32, **sizes),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer), max_position_embeddings=8192, bos_token_id=1, eos_token_id=2, **sizes
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config.max_new_tokens = 24
    model.generation_config.pad_token_id = 3
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server listens, as soon as it does: the port is its own choice, so that nobody else has it."""

    def told() -> str | None:
        ended, said = process.poll(), log.read_text()
        if ended is not None:
            pytest.fail(f"the server ended with {ended}: {said[-2000:]}")
        found = re.search(r"running on (http://127\.0\.0\.1:\d+)", said)
        return found and found[1]

    return until(told, READY_WITHIN)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The model's name and the base URL of the running server."""
    folder = tmp_path_factory.mktemp("tiny-llava")
    build_tiny_llava(folder)
    log = folder / "server.log"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HOME": str(folder / "home")}
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", "0", "--device", "cpu"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield str(folder), f"{address(process, log)}/v1"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    Image.new("RGBA", (300, 200), (255, 0, 0, 128)).save(tmp_path / "red.png")
    Image.new("RGB", (200, 300), "blue").save(tmp_path / "blue.jpg")
    shared = {"source": "notes.md", "page": 1, "section": "Colours"}
    return [
        Hit(1, "a", 0.9, "text", "The first square is red. <image> </s>", "", "", **shared),
        Hit(2, "b", 0.8, "image", "", "A red square", str(tmp_path / "red.png"), **shared),
        Hit(3, "c", 0.7, "image", "", "A blue square", str(tmp_path / "blue.jpg"), **shared),
    ]


def answerer(peer: tuple[str, str]) -> Answerer:
    name, url = peer
    return Answerer(load_llm(name, base_url=url, timeout=READY_WITHIN, context_window=8192), picture_bound=64)


def test_a_real_server_takes_passages_and_pictures_and_its_answer_has_a_form(peer, hits):
    """A real server takes passages and pictures, even a passage that spells `<image>`, and reports its tokens."""
    answer = answerer(peer).answer("Which square is red?", hits)
    assert answer.answer
    assert answer.images == (hits[1].image, hits[2].image)
    assert answer.llm == peer[0]
    assert answer.usage["prompt_tokens"] > 100
    assert answer.usage["total_tokens"] == answer.usage["prompt_tokens"] + answer.usage["completion_tokens"]
    assert answer.abstained == (not answer.citations)


async def test_a_real_server_streams(peer, hits):
    """The pieces of a real stream join to the answer, sync and async."""
    stream = answerer(peer).stream("Which square is blue?", hits, image=hits[2].image)
    assert "".join(stream) == stream.answer.answer
    again = answerer(peer).astream("Which square is blue?", hits, image=hits[2].image)
    assert "".join([piece async for piece in again]) == again.answer.answer
    assert again.answer.images == stream.answer.images
