"""Captions by a model on this machine: BLIP, BLIP-2 or GIT by torch and transformers (extra `[clip]`)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Final

from rag.encoders.hub import resolve
from rag.errors import EncoderError, MissingExtra
from rag.pictures import open_picture

__all__ = ["LocalCaptioner"]

ARCHITECTURES: Final = ("blip", "blip-2", "git")
MAX_TOKENS: Final = 60


class LocalCaptioner:
    """A captioning checkpoint in Hugging Face form: a folder, or an id in the local cache. Loaded when first used.

    Decoding is greedy, so that a picture has one caption whatever stands beside it.
    """

    def __init__(self, name: str, device: str = "auto") -> None:
        """Raises EncoderError where there is no such checkpoint, MissingExtra without torch and transformers."""
        from rag.encoders.hf_clip import pick_device, read_config, require_torch

        try:
            require_torch(name)
        except MissingExtra as exc:
            raise MissingExtra(f"the captioning model {name!r}", "clip") from exc
        folder = Path(name).expanduser()
        self.name, self._folder = name, folder if folder.is_dir() else resolve(name)
        kind = read_config(self._folder / "config.json").get("model_type")
        if kind not in ARCHITECTURES:
            raise EncoderError(
                f"{name!r} has the architecture {kind!r}",
                f"captions are made by {', '.join(ARCHITECTURES)}",
                "name another checkpoint, such as Salesforce/blip-image-captioning-base",
            )
        self._device = pick_device(device)

    def caption(self, image: str | Path) -> str:
        """What the model says of the picture. Raises PictureError for what cannot be opened."""
        import torch

        processor, model = self._loaded
        with torch.inference_mode():
            inputs = processor(images=open_picture(image), return_tensors="pt").to(self._device)
            ids = model.generate(**inputs, max_new_tokens=MAX_TOKENS, do_sample=False, num_beams=1)
        words: list[str] = processor.batch_decode(ids, skip_special_tokens=True)
        return words[0].strip()

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from safetensors import SafetensorError
        from transformers import AutoModelForImageTextToText, AutoProcessor

        from rag.encoders.hf_clip import quiet_loading

        try:
            with quiet_loading():
                processor = AutoProcessor.from_pretrained(self._folder, local_files_only=True)
                model, report = AutoModelForImageTextToText.from_pretrained(
                    self._folder, local_files_only=True, output_loading_info=True
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
            raise EncoderError(
                f"the captioning model {self.name!r} cannot be loaded ({' '.join(str(exc).split())[:300]})",
                advice="fetch it again",
            ) from exc
        # transformers fills what a file lacks with random numbers; the captions of such a model mean nothing.
        if lacking := sorted(report["missing_keys"]):
            raise EncoderError(
                f"the weights of {self.name!r} lack {len(lacking)} tensors, such as {lacking[0]}",
                advice="fetch it again",
            )
        return processor, model.to(self._device).eval()
