"""The image tower: a small residual network trained against the locked text space, and its export.

Only the pictures' side learns (LiT, arXiv 2111.07991): text vectors are those of MiniLM, computed once. The loss is the
symmetric InfoNCE of CLIP with a learned temperature; pairs of near-equal captions are not counted as mistakes.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.render import NAMES, SIDE, Drawn, load

DIM = 384
WIDTHS, DEPTHS = (48, 96, 192, 384), (1, 2, 2, 1)
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
NEGATIVES = 1024  # texts beyond those of the batch
ALIKE = 0.97  # cosine of two captions from which on they count as the same


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """A convolution with its batch norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class Residual(nn.Module):
    """Two convolutions around which the input passes unchanged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*convolution(width, width), nn.ReLU(), *convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(b, width, h, w) to the same shape."""
        return functional.relu(x + self.body(x))


class ImageTower(nn.Module):
    """Normalized pictures (b, 3, SIDE, SIDE) to unit rows (b, 384); the last map is flattened, so that places count."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [*convolution(3, WIDTHS[0], 7, 4), nn.ReLU()]
        for number, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            if number:
                layers += [*convolution(WIDTHS[number - 1], width, stride=2), nn.ReLU()]
            layers += [Residual(width) for _ in range(depth)]
        self.trunk = nn.Sequential(*layers)
        cells = (SIDE // 2 ** (len(WIDTHS) + 1)) ** 2
        self.head = nn.Linear(WIDTHS[-1] * cells, DIM)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Unit rows."""
        rows = self.head(self.trunk(pixel_values).flatten(1))
        unit: Tensor = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-6)
        return unit


def normalized(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (b, SIDE, SIDE, 3) to what the tower takes, channels last in memory."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    return x.sub_(255 * torch.tensor(MEAN)[:, None, None]).div_(255 * torch.tensor(STD)[:, None, None])


def shifted(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures moved by up to 4 pixels, blocks of 32 alike; the edge is repeated."""
    moved = np.empty_like(pixels)
    for start in range(0, len(pixels), 32):
        rows, columns = (np.clip(np.arange(SIDE) + shift, 0, SIDE - 1) for shift in random.integers(-4, 5, 2))
        moved[start : start + 32] = pixels[start : start + 32, rows[:, None], columns[None, :]]
    return moved


def recoloured(x: Tensor, random: np.random.Generator) -> Tensor:
    """Slight changes of brightness, contrast and colour, in place."""
    gain = random.uniform(0.9, 1.1, (len(x), 1, 1, 1)) * random.uniform(0.94, 1.06, (len(x), 3, 1, 1))
    return x.mul_(torch.from_numpy(gain).float()).add_(
        torch.from_numpy(random.uniform(-0.08, 0.08, gain.shape)).float()
    )


def batches(kinds: NDArray[np.int64], size: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """One epoch of batches; half of each is of one kind, so that telling kinds apart is not enough."""
    queues = {int(kind): random.permutation(np.flatnonzero(kinds == kind)) for kind in np.unique(kinds)}
    rest = random.permutation(np.arange(len(kinds)))
    taken = np.zeros(len(kinds), dtype=bool)
    order = [kind for kind, queue in queues.items() for _ in range(len(queue) // size)]
    focused = []
    for kind in random.permutation(order):
        part, queues[int(kind)] = np.split(queues[int(kind)], [size // 2])
        taken[part] = True
        focused.append(part)
    mixed = rest[~taken[rest]]
    step = len(mixed) // max(1, len(focused))
    for number, part in enumerate(focused):
        yield np.sort(np.concatenate([part, mixed[number * step : number * step + size - len(part)]]))


def foreign(drawn: Drawn, rows: NDArray[np.int64], count: int, random: np.random.Generator) -> Tensor:
    """Texts of `count` other pictures, half of them of the batch's main kind: the locked side costs nothing."""
    kind = np.bincount(drawn.kinds[rows]).argmax()
    near = random.choice(np.flatnonzero(drawn.kinds == kind), count // 2)
    return torch.from_numpy(drawn.texts[np.concatenate([near, random.integers(0, len(drawn.kinds), count // 2)])])


def contrastive(images: Tensor, texts: Tensor, others: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE; `others` are more texts to tell the pictures from. Equal captions are no negatives."""
    bank, target = torch.cat([texts, others]), torch.arange(len(texts))
    same = (texts @ bank.T > ALIKE) & (target[:, None] != torch.arange(len(bank)))
    logits = (scale * images @ bank.T).masked_fill(same, -1e4)
    back = functional.cross_entropy(logits[:, : len(texts)].T, target)
    return (functional.cross_entropy(logits, target) + back) / 2


@torch.inference_mode()
def retrieval(tower: ImageTower, drawn: Drawn, names: tuple[str, ...]) -> dict[str, float]:
    """hit@1 and hit@10 of captions among all pictures, per kind; any picture of the same caption is right."""
    with torch.autocast("cpu", torch.bfloat16):
        parts = [tower(normalized(drawn.pixels[i : i + 256])).float() for i in range(0, len(drawn.kinds), 256)]
    scores = torch.from_numpy(drawn.texts) @ torch.cat(parts).T
    code = {caption: number for number, caption in enumerate(drawn.captions)}
    own = np.array([code[caption] for caption in drawn.captions])
    right = own[scores.topk(10, dim=1).indices.numpy()] == own[:, None]
    figures = {}
    for number, name in enumerate(names):
        rows = right[drawn.kinds == number]
        figures[f"{name}/hit@1"], figures[f"{name}/hit@10"] = float(rows[:, 0].mean()), float(rows.any(1).mean())
    return figures


def train(folder: Path, *, minutes: float, epochs: int, size: int, rate: float, seed: int) -> tuple[ImageTower, Tensor]:
    """Train for `epochs`, or until the `minutes` are used up; the rate falls with whichever is nearer its end."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    drawn, tower = load(folder / "train"), ImageTower().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    scale = nn.Parameter(torch.tensor(math.log(20.0)))
    decayed = [p for p in tower.parameters() if p.ndim > 1]
    plain = [p for p in tower.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": [*plain, scale], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
    start, steps = time.time(), 0
    for epoch in range(epochs):
        losses, turns = [], list(batches(drawn.kinds, size, random))
        for turn, rows in enumerate(turns):
            done = max((epoch + turn / len(turns)) / epochs, (time.time() - start) / (60 * minutes))
            if done >= 1:
                return tower, scale
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (steps + 1) / 200) * (0.5 * (1 + math.cos(math.pi * done)) + 1e-3)
            losses.append(_step(tower, scale, optimizer, drawn, rows, random=random))
            steps += 1
            if steps % 50 == 0:
                print(
                    f"epoch {epoch} step {steps} {time.time() - start:.0f}s loss {np.mean(losses[-50:]):.3f}",
                    flush=True,
                )
            if steps % 400 == 0:
                save(tower, scale, folder)
        save(tower, scale, folder)
        validate(tower, folder)
    return tower, scale


def _step(
    tower: ImageTower,
    scale: Tensor,
    optimizer: torch.optim.Optimizer,
    drawn: Drawn,
    rows: NDArray[np.int64],
    *,
    random: np.random.Generator,
) -> float:
    tower.train()
    x = recoloured(normalized(shifted(drawn.pixels[rows], random)), random)
    with torch.autocast("cpu", torch.bfloat16):
        images = tower(x)
    loss = contrastive(
        images.float(),
        torch.from_numpy(drawn.texts[rows]),
        foreign(drawn, rows, NEGATIVES, random),
        scale.exp().clamp(max=100),
    )
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def save(tower: ImageTower, scale: Tensor, folder: Path) -> None:
    """Keep the weights for the export."""
    torch.save({"tower": tower.state_dict(), "scale": float(scale.detach().exp())}, folder / "image_tower.pt")


def validate(tower: ImageTower, folder: Path) -> None:
    """Print the figures of the validation split."""
    tower.eval()
    print(
        json.dumps(
            {name: round(value, 3) for name, value in retrieval(tower, load(folder / "validation"), NAMES).items()}
        ),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("training/build"))
    parser.add_argument("--minutes", type=float, default=25.0, help="wall clock at most")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tower, scale = train(
        options.data,
        minutes=options.minutes,
        epochs=options.epochs,
        size=options.batch,
        rate=options.rate,
        seed=options.seed,
    )
    save(tower, scale, options.data)
    validate(tower, options.data)


if __name__ == "__main__":
    main()
