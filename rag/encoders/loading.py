"""From a name to a backend."""

from __future__ import annotations

from pathlib import Path

from rag.encoders.backend import Backend
from rag.encoders.registry import EncoderInfo, describe, find
from rag.errors import EncoderError

__all__ = ["load_backend"]

_KINDS = ("auto", "onnx", "torch", "fake")


def load_backend(name: str, device: str, backend: str, precision: str, threads: int) -> Backend:
    """The backend that serves `name`: an alias, then a folder, then a Hugging Face id.

    Raises:
        EncoderError: the name is unknown, its files are not here or broken, or an option does not fit it.
        MissingExtra: the model needs torch and transformers.
    """
    if backend not in _KINDS:
        raise EncoderError(f"backend {backend!r} was given", "auto, onnx or torch", "use 'auto'")
    info, folder = find(name), Path(name).expanduser()
    kind = info.backend if info else _folder_kind(folder) if name and folder.is_dir() else _hub_kind(name)
    if backend not in ("auto", kind):
        raise EncoderError(f"backend {backend!r} was given for {name!r}", f"it runs on {kind!r}", "use 'auto'")
    if kind == "torch":
        return _torch(name, info, folder, device, precision)
    if device not in ("auto", "cpu") or precision not in ("auto", "fp32"):
        raise EncoderError(
            f"device {device!r} and precision {precision!r} were given for {name!r}",
            "it runs on the cpu in fp32",
            "use 'auto' for both",
        )
    if kind == "fake":
        from rag.encoders.fake import FakeBackend

        return FakeBackend()
    from rag.encoders.onnx_bundled import BUNDLED, OnnxBackend

    return OnnxBackend(BUNDLED if info else folder.resolve(), threads)


def _torch(name: str, info: EncoderInfo | None, folder: Path, device: str, precision: str) -> Backend:
    from rag.encoders.hf_clip import TorchBackend, require_torch
    from rag.encoders.hub import resolve

    require_torch(name)
    if info is None and folder.is_dir():
        return TorchBackend(str(folder.resolve()), folder, device, precision)
    model = info.model if info else name
    return TorchBackend(model, resolve(model), device, precision)


def _folder_kind(folder: Path) -> str:
    if (folder / "model.json").is_file() or (folder / "text.onnx").is_file():
        return "onnx"
    if (folder / "config.json").is_file():
        return "torch"
    raise EncoderError(
        f"the folder {str(folder)!r} holds no encoder",
        "a Hugging Face checkpoint with config.json, or a bundle with model.json",
        "`triptych encoders` lists encoders by name",
    )


def _hub_kind(name: str) -> str:
    owner, _, model = name.partition("/")
    if owner and model and "/" not in model and not name.startswith((".", "~")):
        return "torch"
    raise EncoderError(
        f"unknown encoder {name!r}",
        f"one of {', '.join(info.name for info in describe())}, a Hugging Face id (owner/model), or a folder",
        "`triptych encoders` tells what each is",
    )
