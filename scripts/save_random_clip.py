"""Save a CLIP checkpoint of random weights in published form: model, tokenizer and preprocessor configuration.

It has the size of ViT-B/32, or two narrow layers with --tiny. The tokenizer is a byte-level BPE in CLIP's manner whose
merges are learned here from a few sentences. The same seed gives the same bytes of weights.

    python -m scripts.save_random_clip FOLDER [--tiny] [--seed N]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

__all__ = ["main", "merges", "save"]

START, END = "<|startoftext|>", "<|endoftext|>"

SENTENCES = (
    "a photo of a dog beside a red house",
    "a chart of rainfall by month and the wettest month of the year",
    "the quick brown fox jumps over the lazy dog while the painter draws a circle",
    "a diagram that shows how water flows through the valley into the sea",
    "questions and answers about pictures and passages of documents",
)

MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]


def byte_letters() -> list[str]:
    """The printable letter of each byte, in CLIP's order (github.com/openai/CLIP, simple_tokenizer.py)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def merges(count: int = 200) -> list[tuple[str, str]]:
    """The `count` most frequent merges of the sentences, first things first (byte-pair encoding)."""
    words = Counter(word for sentence in SENTENCES for word in sentence.split())
    split = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    learned: list[tuple[str, str]] = []
    while len(learned) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in split.items():
            for pair in pairwise(parts):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        learned.append(best)
        split = {word: _merged(parts, best) for word, parts in split.items()}
    return learned


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    for part in parts:
        if joined and (joined[-1], part) == pair:
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def save(folder: Path, tiny: bool = False, seed: int = 0) -> Path:
    """Write the checkpoint into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _save_tokenizer(folder)
    config = _config(tiny, vocabulary)
    _save_model(folder, config, seed)
    side = config["vision_config"]["image_size"]
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": side},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": MEAN,
        "image_std": STD,
        "do_convert_rgb": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2), "utf-8")
    return folder


def _save_tokenizer(folder: Path) -> dict[str, int]:
    from transformers import CLIPTokenizer

    letters = byte_letters()
    learned = merges()
    entries = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in learned), START, END]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=learned, model_max_length=77)
    tokenizer.save_pretrained(folder)
    return vocabulary


def _config(tiny: bool, vocabulary: dict[str, int]) -> dict[str, Any]:
    text, vision = (
        ({"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2},) * 2
        if tiny
        else (
            {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8, "num_hidden_layers": 12},
            {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12},
        )
    )
    ids = {"bos_token_id": vocabulary[START], "eos_token_id": vocabulary[END], "pad_token_id": vocabulary[END]}
    # Random weights do not depend on the vocabulary; ViT-B/32 keeps the published 49,408 rows for its size.
    rows = len(vocabulary) if tiny else 49408
    return {
        "projection_dim": 24 if tiny else 512,
        "text_config": {**text, **ids, "vocab_size": rows, "max_position_embeddings": 77},
        "vision_config": {**vision, "image_size": 64 if tiny else 224, "patch_size": 16 if tiny else 32},
    }


def _save_model(folder: Path, config: dict[str, Any], seed: int) -> None:
    import torch
    from transformers import CLIPConfig, CLIPModel

    generator_state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        CLIPModel(CLIPConfig(**config)).save_pretrained(folder)
    finally:
        torch.set_rng_state(generator_state)


def main() -> None:
    """Parse the command line and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true", help="two narrow layers instead of ViT-B/32")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(save(arguments.folder, arguments.tiny, arguments.seed))


if __name__ == "__main__":
    main()
