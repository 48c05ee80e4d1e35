"""Draw the training set once: pictures as one uint8 memory map, captions, and the text vectors of the captions."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from training.draw import charts, diagrams, emoji, flag, scenes, shapes, words
from training.text_tower import load_tower, source_folder

SIDE = 96
Drawing = Callable[[Random], tuple[Image.Image, str]]
KINDS: dict[str, tuple[Drawing, float]] = {  # how it is drawn, its share
    "flag": (flag.draw, 0.40),
    "shapes": (shapes.draw, 0.13),
    "emoji": (emoji.draw, 0.18),
    "charts": (charts.draw, 0.09),
    "diagrams": (diagrams.draw, 0.08),
    "scenes": (scenes.draw, 0.05),
    "words": (words.draw, 0.07),
}
NAMES = tuple(KINDS)


@dataclass(frozen=True)
class Drawn:
    """A rendered set: `pixels` (n, SIDE, SIDE, 3) uint8, `texts` (n, 384) unit rows, `kinds` (n,) into NAMES."""

    pixels: NDArray[np.uint8]
    texts: NDArray[np.float32]
    kinds: NDArray[np.int64]
    captions: list[str]


def weathered(picture: Image.Image, rng: Random) -> Image.Image:
    """`picture` as it may be met: with a border, scaled down, blurred, after JPEG."""
    if rng.random() < 0.15:
        shade = rng.choice(((255, 255, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128)))
        picture = ImageOps.expand(picture, max(1, int(picture.height * rng.uniform(0.005, 0.08))), shade)
    if rng.random() < 0.15:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.01 * picture.height)))
    if rng.random() < 0.25:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=rng.randint(30, 90))
        picture = Image.open(buffer)
    return picture


def squashed(picture: Image.Image) -> NDArray[np.uint8]:
    """What the tower sees: `picture` over white, RGB, squashed to SIDE x SIDE, bicubic."""
    if picture.mode != "RGB":
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _render_block(job: tuple[str, int, int, int, Path]) -> list[str]:
    kind, start, count, seed, file = job
    pixels = np.lib.format.open_memmap(file, mode="r+")
    captions = []
    for index in range(start, start + count):
        rng = Random(f"{seed}/{kind}/{index}")
        picture, caption = KINDS[kind][0](rng)
        pixels[index] = squashed(weathered(picture, rng))
        captions.append(caption)
    return captions


def _jobs(sizes: dict[str, int], seed: int, file: Path) -> list[tuple[str, int, int, int, Path]]:
    jobs, start = [], 0
    for kind, count in sizes.items():
        for first in range(start, start + count, 1000):
            jobs.append((kind, first, min(1000, start + count - first), seed, file))
        start += count
    return jobs


def render(folder: Path, sizes: dict[str, int], seed: int, workers: int) -> None:
    """Draw `sizes` pictures of each kind into `folder`; the outcome depends on the seed alone, not on `workers`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pixels.npy"
    np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(sum(sizes.values()), SIDE, SIDE, 3)).flush()
    jobs = _jobs(sizes, seed, file)
    with ProcessPoolExecutor(workers) as pool:
        captions = [caption for block in pool.map(_render_block, jobs) for caption in block]
    kinds = [NAMES.index(kind) for kind, count in sizes.items() for _ in range(count)]
    np.save(folder / "kinds.npy", np.array(kinds, dtype=np.int64))
    told = json.dumps(captions, ensure_ascii=False)
    file = folder / "captions.json"
    if not file.exists() or file.read_text(encoding="utf-8") != told:
        (folder / "texts.npy").unlink(missing_ok=True)
        file.write_text(told, encoding="utf-8")


def text_vectors(captions: list[str], precise: bool = False) -> NDArray[np.float32]:
    """Unit rows (n, 384) of `captions`; bfloat16 arithmetic unless `precise`, equal captions computed once."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    tower, unique = load_tower(source_folder()), sorted(set(captions))
    ids = [encoding.ids for encoding in tokenizer.encode_batch(unique)]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    vectors = np.zeros((len(unique), 384), np.float32)
    for start in range(0, len(order), 128):
        block = order[start : start + 128]
        longest = max(len(ids[i]) for i in block)
        tokens = torch.tensor([ids[i] + [0] * (longest - len(ids[i])) for i in block])
        mask = torch.tensor([[1] * len(ids[i]) + [0] * (longest - len(ids[i])) for i in block])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            rows = tower(tokens, mask).float()
        vectors[block] = torch.nn.functional.normalize(rows, dim=1).numpy()
    place = {caption: index for index, caption in enumerate(unique)}
    return vectors[[place[caption] for caption in captions]]


def load(folder: Path) -> Drawn:
    """The set rendered into `folder`."""
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    return Drawn(pixels, np.load(folder / "texts.npy"), np.load(folder / "kinds.npy"), captions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("training/build"))
    parser.add_argument("--count", type=int, default=100_000, help="pictures in the training split")
    parser.add_argument("--validation", type=int, default=300, help="pictures of each kind in the validation split")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    splits = {
        "validation": (dict.fromkeys(NAMES, options.validation), 2),
        "train": ({kind: int(options.count * share) for kind, (_, share) in KINDS.items()}, 1),
    }
    for split, (sizes, seed) in splits.items():
        folder = options.out / split
        render(folder, sizes, seed, options.workers)
        if not (folder / "texts.npy").exists():
            captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
            np.save(folder / "texts.npy", text_vectors(captions, precise=split == "validation"))


if __name__ == "__main__":
    main()
