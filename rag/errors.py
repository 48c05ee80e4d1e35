"""The errors Triptych raises. Every one of them is told in one line: what was given, what is allowed, what to do next.

TriptychError
├── InputError                a path, question, setting or filter that cannot be used
│   ├── SourceError           a document that cannot be read (encrypted, corrupt, unsupported)
│   │   └── SourceGone        a URL or an object that is no longer there
│   ├── PictureError          a picture that cannot be opened
│   └── FilterError           an unknown field or operator, a type that cannot match, a syntax error
├── EncoderError              an encoder that cannot be loaded or used
│   └── EncoderMismatch       the collection was made by another encoder
├── StoreError                the engine refused or failed
│   ├── StoreMissing          there is no such collection
│   ├── StoreLocked           another process holds the corpus
│   ├── StoreUnreachable      no server answers at the URL
│   └── StoreUnauthorized     the server refuses the key
├── LLMError                  the language model could not answer
└── MissingExtra              an optional dependency is not installed
"""

from __future__ import annotations

import re

__all__ = [
    "EncoderError",
    "EncoderMismatch",
    "FilterError",
    "InputError",
    "LLMError",
    "MissingExtra",
    "PictureError",
    "SourceError",
    "SourceGone",
    "StoreError",
    "StoreLocked",
    "StoreMissing",
    "StoreUnauthorized",
    "StoreUnreachable",
    "TriptychError",
]


# The full stop of a sentence, not the path `.` or `..`.
_STOP = re.compile(r"(?<=[^\s./\\'\"])\.$")


class TriptychError(Exception):
    """Base of all errors: `given` (what was given), `allowed` (what is), `advice` (what to do next)."""

    def __init__(self, given: str, allowed: str = "", advice: str = "") -> None:
        self.given, self.allowed, self.advice = given, allowed, advice
        parts = (given, allowed, advice)
        super().__init__("; ".join(_STOP.sub("", " ".join(part.split())) for part in parts if part))


class InputError(TriptychError):
    """What the user gave cannot be used."""


class SourceError(InputError):
    """A document that cannot be read."""

    passing = False
    """Whether the same may succeed another time: a server that does not answer, or not now."""


class SourceGone(SourceError):
    """Its server says that there is no such document (any more)."""


class PictureError(InputError):
    """A picture that cannot be opened."""


class FilterError(InputError):
    """A filter expression that cannot be understood or cannot match."""


class EncoderError(TriptychError):
    """An encoder that cannot be loaded or used."""


class EncoderMismatch(EncoderError):
    """The collection was made by another encoder."""


class StoreError(TriptychError):
    """The engine refused or failed."""


class StoreMissing(StoreError):
    """There is no such collection."""


class StoreLocked(StoreError):
    """Another process holds the corpus."""


class StoreUnreachable(StoreError):
    """No server answers at the URL."""


class StoreUnauthorized(StoreError):
    """The server refuses the key."""


class LLMError(TriptychError):
    """The language model could not answer."""


class MissingExtra(TriptychError):
    """An optional dependency is not installed: those of an extra, or a `package` that no extra brings."""

    def __init__(self, feature: str, extra: str = "", *, package: str = "") -> None:
        super().__init__(
            f"{feature} needs a package that is not installed",
            advice=f"pip install {package}" if package else f'pip install "triptych-rag[{extra}]"',
        )
