"""The encoder that ships with the package: two ONNX graphs and a tokenizer in a folder, run without torch.

A bundle holds `text.onnx` (`input_ids`, `attention_mask` int64 (b, t) → `embedding` float32 (b, dim)), `image.onnx`
(`pixel_values` float32 (b, 3, S, S) → `embedding`), `tokenizer.json` and `model.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import numpy as np

from rag.encoders.backend import Floats, Integers, TensorBackend, file_digest, load_tokenizer
from rag.encoders.preprocess import Interpolation, PixelRecipe, Resize
from rag.errors import EncoderError

__all__ = ["BUNDLED", "FILES", "OnnxBackend"]

BUNDLED: Final = Path(__file__).with_name("bundled")
FILES: Final = ("image.onnx", "model.json", "text.onnx", "tokenizer.json")

_T = TypeVar("_T")


class OnnxBackend(TensorBackend):
    """A bundle on the CPU. Each tower loads when it is first used: a search by words never loads the image tower."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """`threads` of each tower; 0 leaves the number to ONNX Runtime.

        Raises:
            EncoderError: a file is missing or broken.
        """
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise EncoderError(
                f"the encoder in {str(folder)!r} lacks {', '.join(missing)}",
                f"a bundle has {', '.join(FILES)}",
                "install triptych-rag again" if folder == BUNDLED else "build the bundle again",
            )
        self._folder, self._threads = folder, threads
        model = _Reader(folder / "model.json")
        self.name = "bundled" if folder == BUNDLED else str(folder)
        self._dim = model.get("dim", int)
        text, image = model.part("text"), model.part("image")
        tokenizer = load_tokenizer(folder / "tokenizer.json")
        pad_id = next((found for token in ("[PAD]", "<pad>") if (found := tokenizer.token_to_id(token)) is not None), 0)
        super().__init__(tokenizer, text.get("context", int), _recipe(image), pad_id)

    @property
    def dim(self) -> int:
        """The dimension that model.json states."""
        return self._dim

    def digest(self) -> str:
        """sha256 over the four files."""
        return self._digest

    def run_text(self, ids: Integers, mask: Integers) -> Floats:
        """(b, t) int64 ids and mask → (b, dim) float32."""
        with self._lock:
            tower = self._text_tower
        return self._run(tower, {"input_ids": ids, "attention_mask": mask})

    def run_image(self, pixels: Floats) -> Floats:
        """(b, 3, size, size) float32 → (b, dim) float32."""
        with self._lock:
            tower = self._image_tower
        return self._run(tower, {"pixel_values": pixels})

    @cached_property
    def _digest(self) -> str:
        return file_digest(self._folder / name for name in FILES)

    @cached_property
    def _text_tower(self) -> Any:
        return self._session("text.onnx")

    @cached_property
    def _image_tower(self) -> Any:
        return self._session("image.onnx")

    def _session(self, name: str) -> Any:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as raised

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        broken = (raised.Fail, raised.InvalidGraph, raised.InvalidProtobuf, raised.NotImplemented, raised.NoSuchFile)
        try:
            return onnxruntime.InferenceSession(
                str(self._folder / name), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except broken as exc:
            raise EncoderError(
                f"{str(self._folder / name)!r} cannot be loaded ({exc})", "an ONNX graph", "build the bundle again"
            ) from exc

    def _run(self, session: Any, feeds: Mapping[str, Integers | Floats]) -> Floats:
        from onnxruntime.capi import onnxruntime_pybind11_state as raised

        try:
            return np.asarray(session.run(["embedding"], dict(feeds))[0], dtype=np.float32)
        except (raised.Fail, raised.InvalidArgument, raised.RuntimeException, ValueError) as exc:
            raise EncoderError(
                f"the encoder in {str(self._folder)!r} failed ({exc})",
                f"a graph with {', '.join(feeds)} → embedding",
                "build the bundle again",
            ) from exc


class _Reader:
    """Typed access to model.json: a missing or wrong value is an error that names it."""

    def __init__(self, path: Path, values: object = None, where: str = "") -> None:
        self._path, self._where = path, where
        if values is None:
            try:
                values = json.loads(path.read_text("utf-8"))
            except ValueError as exc:
                raise EncoderError(f"{str(path)!r} is not JSON ({exc})", advice="build the bundle again") from exc
        if not isinstance(values, dict):
            raise self._wrong(where or "the document", values, "an object")
        self._values: dict[str, Any] = values

    def part(self, key: str) -> _Reader:
        return _Reader(self._path, self._values.get(key, ""), key)

    def get(self, key: str, kind: type[_T]) -> _T:
        value = self._values.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong(key, value, f"a {kind.__name__}")
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        value = self._values.get(key)
        if value not in allowed:
            raise self._wrong(key, value, f"one of {', '.join(allowed)}")
        return str(value)

    def three(self, key: str) -> tuple[float, float, float]:
        value = self._values.get(key)
        if not isinstance(value, list) or len(value) != 3 or not all(isinstance(part, int | float) for part in value):
            raise self._wrong(key, value, "three numbers")
        return float(value[0]), float(value[1]), float(value[2])

    def _wrong(self, key: str, value: object, allowed: str) -> EncoderError:
        name = f"{self._where}.{key}" if self._where and self._where != key else key
        return EncoderError(f"{str(self._path)!r} says {name} = {value!r}", allowed, "build the bundle again")


def _recipe(image: _Reader) -> PixelRecipe:
    red, green, blue = image.three("background")
    resize, interpolation = (
        image.choice("resize", get_args(Resize)),
        image.choice("interpolation", get_args(Interpolation)),
    )
    return PixelRecipe(
        size=image.get("size", int),
        resize=resize,  # type: ignore[arg-type]  # `choice` has just checked it
        interpolation=interpolation,  # type: ignore[arg-type]  # `choice` has just checked it
        background=(int(red), int(green), int(blue)),
        mean=image.three("mean"),
        std=image.three("std"),
    )
