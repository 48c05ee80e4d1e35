"""Where a Hugging Face id lies on this machine, and how it gets there when that is allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rag.errors import EncoderError

__all__ = ["ALLOW_DOWNLOADS", "WEIGHTS", "resolve", "weight_files"]

ALLOW_DOWNLOADS: Final = "TRIPTYCH_ALLOW_DOWNLOADS"
"""The environment variable that lets a model be fetched from the hub."""

WEIGHTS: Final = ("model*.safetensors", "pytorch_model*.bin")
"""Where the weights of a checkpoint are, the better form first."""

_SMALL_FILES: Final = ["*.json", "*.txt", "*.model"]


def resolve(model: str) -> Path:
    """The folder of a Hugging Face id in the local cache; it is fetched only where TRIPTYCH_ALLOW_DOWNLOADS=1.

    What is in the cache is used as it is: a newer revision on the hub would make other vectors.

    Raises:
        EncoderError: it is not in the cache and may not, or cannot, be fetched.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(model, "config.json")
    except HFValidationError as exc:
        raise EncoderError(f"{model!r} is not a Hugging Face id", "owner/model", "see `triptych encoders`") from exc
    if isinstance(config, str) and weight_files(Path(config).parent):
        return Path(config).parent
    if os.environ.get(ALLOW_DOWNLOADS, "").lower() in ("1", "true", "yes"):
        return _fetch(model)
    raise EncoderError(
        f"the encoder {model!r} is not on this machine",
        "nothing is fetched unless you allow it",
        f"set {ALLOW_DOWNLOADS}=1 and try again, or give a folder; `triptych encoders` lists the aliases",
    )


def _fetch(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    try:
        folder = Path(snapshot_download(model, allow_patterns=[*_SMALL_FILES, WEIGHTS[0]]))
        if not weight_files(folder):
            folder = Path(snapshot_download(model, allow_patterns=[*_SMALL_FILES, WEIGHTS[1]]))
    except (EntryNotFoundError, HfHubHTTPError, OSError) as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise EncoderError(
            f"the encoder {model!r} could not be fetched ({reason})", advice="check the name and the network"
        ) from exc
    return folder


def weight_files(folder: Path) -> list[Path]:
    """The weights of a checkpoint: safetensors, else pickled ones; empty where there are neither."""
    return next((files for pattern in WEIGHTS if (files := sorted(folder.glob(pattern)))), [])
