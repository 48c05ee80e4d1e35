"""The versions of what decides an outcome, read without importing it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

__all__ = ["versions"]

_PACKAGES: Final = {
    "triptych": "triptych-rag",
    "llama-index-core": "llama-index-core",
    "qdrant-client": "qdrant-client",
    "qdrant-edge": "qdrant-edge-py",
    "onnxruntime": "onnxruntime",
    "numpy": "numpy",
    "ir-measures": "ir-measures",
    "torch": "torch",
    "transformers": "transformers",
}


def versions() -> dict[str, str]:
    """Name → version of what is installed, Python and the machine's kind included."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name, package in _PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found
