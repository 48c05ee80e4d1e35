"""A quick figure for one task of a dataset folder, with the shipped ONNX files and nothing else.

python -m training.evaluate FOLDER description2image
python -m training.evaluate FOLDER question2text --passages heading
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tomllib
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

Rows = list[dict[str, Any]]
Vectors = NDArray[np.float32]
BUNDLED = Path("rag/encoders/bundled")


class Encoder:
    """The two ONNX towers as `model.json` describes them."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.settings = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.text, self.image = (
            onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
            for name in ("text.onnx", "image.onnx")
        )

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of `text` in windows of the context, each with its own special tokens."""
        first, *inner, last = self.tokenizer.encode(text).ids
        room = int(self.settings["text"]["context"]) - 2
        return [[first, *inner[start : start + room], last] for start in range(0, max(1, len(inner)), room)]

    def texts(self, texts: list[str], batch: int = 16) -> Vectors:
        """Unit rows; the windows of a long text are averaged and normalized again."""
        jobs = sorted(
            ((ids, row) for row, text in enumerate(texts) for ids in self.windows(text)), key=lambda j: len(j[0])
        )
        total: Vectors = np.zeros((len(texts), int(self.settings["dim"])), np.float32)
        for start in range(0, len(jobs), batch):
            block = jobs[start : start + batch]
            shape = (len(block), max(len(ids) for ids, _ in block))
            tokens, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
            for line, (ids, _) in enumerate(block):
                tokens[line, : len(ids)], mask[line, : len(ids)] = ids, 1
            (rows,) = self.text.run(None, {"input_ids": tokens, "attention_mask": mask})
            np.add.at(total, [row for _, row in block], rows)
        unit: Vectors = (total / np.linalg.norm(total, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def pixels(self, picture: Image.Image) -> Vectors:
        """The input (3, S, S) of the image tower."""
        how = self.settings["image"]
        side, filter_ = int(how["size"]), Image.Resampling[how["interpolation"].upper()]
        rgba = picture.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", rgba.size, (*how["background"], 255)), rgba).convert("RGB")
        values: Vectors = np.asarray(flat.resize((side, side), filter_), np.float32) / np.float32(255)
        mean, std = (np.array(how[name], np.float32) for name in ("mean", "std"))
        unit: Vectors = ((values - mean) / std).astype(np.float32).transpose(2, 0, 1)
        return unit

    def pictures(self, files: list[Path], batch: int = 32) -> Vectors:
        """Unit rows."""
        parts = []
        for start in range(0, len(files), batch):
            pixels = np.stack([self.pixels(Image.open(file)) for file in files[start : start + batch]])
            parts.append(self.image.run(None, {"pixel_values": pixels})[0])
        return np.concatenate(parts)


def rows_of(file: Path) -> Rows:
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def judgements(file: Path) -> dict[str, dict[str, int]]:
    """TREC relevance judgements: query to documents with their grade."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for line in file.read_text(encoding="utf-8").splitlines():
        query, _, document, grade = line.split("\t")
        found[query][document] = int(grade)
    return found


def measures(ranked: list[str], relevant: dict[str, int]) -> tuple[float, float, float]:
    """hit@1, hit@10 and nDCG@10 of one ranking."""
    gains = [relevant.get(document, 0) for document in ranked[:10]]
    best = sorted(relevant.values(), reverse=True)[:10]
    ndcg, ideal = (sum(g / math.log2(i + 2) for i, g in enumerate(row)) for row in (gains, best))
    return float(gains[0] > 0), float(any(gains)), ndcg / ideal if ideal else 0.0


def encode_documents(encoder: Encoder, folder: Path, documents: Rows, kind: str, passages: str) -> Vectors:
    """Vectors of the pictures alone, or of the passages with or without their heading."""
    if kind == "image":
        return encoder.pictures([folder / row["image"] for row in documents])
    heading = passages == "heading"
    return encoder.texts(
        [f"{row['heading']}\n{row['text']}" if heading and row.get("heading") else row["text"] for row in documents]
    )


def evaluate(encoder: Encoder, folder: Path, task: str, passages: str) -> dict[str, float]:
    """Mean measures of `task`; a query without judgements in the corpus counts as zero only if it has any at all."""
    setting = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))["tasks"][task]
    (kind,) = setting["kinds"]
    documents = [row for row in rows_of(folder / "corpus.jsonl") if row["kind"] == kind]
    relevant = judgements(folder / "qrels.tsv")
    queries = [
        row
        for row in rows_of(folder / "queries.jsonl")
        if row["type"] in setting["queries"] and not row.get("needs_external_link") and relevant.get(row["id"])
    ]
    scores = (
        encoder.texts([row["query"] for row in queries])
        @ encode_documents(encoder, folder, documents, kind, passages).T
    )
    ids = [row["id"] for row in documents]
    table = [measures([ids[i] for i in np.argsort(-line, kind="stable")[:10]], relevant[query["id"]])
             for query, line in zip(queries, scores, strict=True)]  # fmt: skip
    hit_1, hit_10, ndcg = np.mean(table, axis=0)
    return {"queries": len(queries), "documents": len(ids), "hit@1": hit_1, "hit@10": hit_10, "nDCG@10": ndcg}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("task")
    parser.add_argument("--encoder", type=Path, default=BUNDLED)
    parser.add_argument("--passages", choices=("text", "heading"), default="heading")
    options = parser.parse_args()
    figures = evaluate(Encoder(options.encoder), options.folder, options.task, options.passages)
    print(
        " ".join(
            f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
        )
    )


if __name__ == "__main__":
    main()
