"""Write the trained image tower as `image.onnx` and the preprocessing as `model.json`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.image_tower import MEAN, STD, ImageTower, Residual
from training.render import SIDE
from training.text_tower import DIM, rename_output, without_traces

NAME, CONTEXT = "triptych-bundled-1", 256
SMALLEST_HALVED = 1_000  # elements; smaller tensors stay float32


def fused(layers: nn.Sequential) -> nn.Sequential:
    """`layers` with each batch norm folded into the convolution before it."""
    result: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            before = result.pop()
            assert isinstance(before, nn.Conv2d)
            result.append(fuse_conv_bn_eval(before, layer))
            continue
        if isinstance(layer, Residual):
            layer.body = fused(layer.body)
        result.append(layer)
    return nn.Sequential(*result)


def export(tower: ImageTower, target: Path) -> None:
    """The tower as ONNX with a free batch size; float16 storage, float32 arithmetic."""
    tower.eval()
    tower.trunk = fused(tower.trunk)
    program = torch.onnx.export(
        tower,
        (torch.zeros(2, 3, SIDE, SIDE),),
        dynamo=True,
        opset_version=18,
        input_names=["pixel_values"],
        output_names=["unit_rows"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
    )
    assert program is not None
    model = store_in_16_bits(rename_output(program.model_proto, "embedding"))
    onnx.save(without_traces(model), str(target))


def store_in_16_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keep large weights as float16; onnxruntime folds the Cast once, at load."""
    casts, kept = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}_half"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}_half"], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    return model


def settings(scale: float) -> dict[str, object]:
    """The contents of `model.json`, all that a loader must know."""
    return {
        "name": NAME,
        "dim": DIM,
        "logit_scale": round(scale, 3),
        "text": {"context": CONTEXT},
        "image": {"size": SIDE, "resize": "squash", "interpolation": "bicubic", "background": [255, 255, 255],
                  "mean": list(MEAN), "std": list(STD)},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("training/build/image_tower.pt"))
    parser.add_argument("--out", type=Path, default=Path("rag/encoders/bundled"))
    options = parser.parse_args()
    saved = torch.load(options.weights, weights_only=True)
    tower = ImageTower()
    tower.load_state_dict(saved["tower"])
    export(tower, options.out / "image.onnx")
    (options.out / "model.json").write_text(json.dumps(settings(saved["scale"]), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
