"""From a name to a backend."""

from __future__ import annotations

from rag.encoders.backend import Backend
from rag.encoders.registry import describe, find
from rag.errors import EncoderError

__all__ = ["load_backend"]


def load_backend(name: str, device: str, backend: str, precision: str, threads: int) -> Backend:
    """The backend that serves `name`.

    Raises:
        EncoderError: the name is unknown.
    """
    info = find(name)
    if info is not None and info.backend == "fake":
        from rag.encoders.fake import FakeBackend

        return FakeBackend()
    raise EncoderError(
        f"unknown encoder {name!r}",
        f"one of {', '.join(info.name for info in describe())}, a Hugging Face id, or a folder",
        "`triptych encoders` lists them",
    )
