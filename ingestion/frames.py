"""What crosses between the run and its reader processes: frames of a length and a pickle.

A reader process has parsed what a stranger wrote. What it answers is therefore taken as data: the unpickler makes
objects of the document's classes and of plain types, and refuses everything else.
"""

from __future__ import annotations

import io
import pickle
import struct
from dataclasses import is_dataclass
from enum import Enum
from typing import IO, Any, Final

from rag.errors import TriptychError

__all__ = ["Unreadable", "dump", "load", "read_body", "read_length", "write"]

_LENGTH: Final = struct.Struct(">Q")
_OURS: Final = ("ingestion.", "rag.errors")
_PLAIN: Final = frozenset({"collections", "datetime", "pathlib", "pathlib._local", "uuid"})
_BUILTINS: Final = frozenset({"bytearray", "complex", "frozenset", "range", "set"})


class Unreadable(ValueError):
    """A frame that holds something else than plain data."""


def dump(value: object) -> bytes:
    """`value` as a pickle. Raises MemoryError, or Unreadable where it cannot be pickled."""
    try:
        return pickle.dumps(value, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as exc:
        raise Unreadable(f"{type(exc).__name__}: {exc}") from exc


def load(body: bytes) -> Any:
    """The value of a pickle of plain data and of this package's own classes. Raises Unreadable for all else."""
    try:
        return _Unpickler(io.BytesIO(body)).load()
    except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, LookupError, TypeError, ValueError) as exc:
        raise Unreadable(f"{type(exc).__name__}: {exc}") from exc


def write(stream: IO[bytes], body: bytes) -> None:
    """Send a frame."""
    stream.write(_LENGTH.pack(len(body)))
    stream.write(body)
    stream.flush()


def read_length(stream: IO[bytes]) -> int | None:
    """The length of the next frame; None where the other side is gone."""
    head = stream.read(_LENGTH.size)
    return int(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None


def read_body(stream: IO[bytes], length: int) -> bytes | None:
    """The frame's content; None where the other side went before it was sent whole."""
    body = stream.read(length)
    return body if len(body) == length else None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A class by its own name in its own module, if it only holds data: never a function."""
        if module.startswith(_OURS) or module in _PLAIN or (module == "builtins" and name in _BUILTINS):
            found = super().find_class(module, name)
            if (
                isinstance(found, type)
                and found.__name__ == name
                and (not module.startswith(_OURS) or _holds_data(found))
            ):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not data")


def _holds_data(found: type) -> bool:
    return is_dataclass(found) or issubclass(found, Enum | TriptychError)
