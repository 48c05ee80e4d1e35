"""Cross-encoders in Hugging Face form: a question and a text read together, one number out."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any, Final

from rag.encoders.hf_clip import pick_device, quiet_loading, require_torch
from rag.encoders.hub import ALLOW_DOWNLOADS, resolve, weight_files
from rag.errors import EncoderError

__all__ = ["CrossEncoder"]

_BATCH: Final = 16
_FORM: Final = "a sequence classifier with one label, or two (the second for relevant): config, tokenizer, weights"


class CrossEncoder:
    """A reranker such as `cross-encoder/ms-marco-MiniLM-L6-v2` or `BAAI/bge-reranker-base`: worth of texts by logits.

    With two labels the worth is the difference of their logits, which orders as the probability of the second does.
    A text longer than the window is read in windows, and the best counts (MaxP: Dai & Callan, SIGIR 2019); a question
    may fill half a window, more is cut off. Safe to use from several threads.
    """

    def __init__(self, name: str, device: str = "auto") -> None:
        """`name` is a folder or a Hugging Face id; the weights are loaded when they are first used.

        Raises:
            EncoderError: it is not on this machine and may not be fetched, or the device cannot be had.
            MissingExtra: torch or transformers is not installed.
        """
        require_torch(name)
        self.name, self._lock = name, RLock()
        self._folder = _folder(name)
        self._device = pick_device(device)

    def __call__(self, question: str, texts: Sequence[str]) -> list[float]:
        """The worth of each text for the question, higher for better."""
        import torch

        model, tokenizer = self._loaded
        asked = _cut(tokenizer, question, self._window // 2)
        windows = tokenizer(
            [asked] * len(texts),
            list(texts),
            truncation="only_second",
            max_length=self._window,
            return_overflowing_tokens=True,
        )
        of = windows.pop("overflow_to_sample_mapping")
        by_length = sorted(range(len(of)), key=lambda row: -len(windows["input_ids"][row]))
        worth = [float("-inf")] * len(texts)
        for start in range(0, len(of), _BATCH):
            rows = by_length[start : start + _BATCH]
            batch = tokenizer.pad({key: [windows[key][row] for row in rows] for key in windows}, return_tensors="pt")
            with torch.inference_mode():
                logits = model(**batch.to(self._device)).logits.double().cpu()
            scores = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0.0)
            for row, score in zip(rows, scores.tolist(), strict=True):
                worth[of[row]] = max(worth[of[row]], score)
        return worth

    @property
    def _loaded(self) -> tuple[Any, Any]:
        with self._lock:
            return self._pair

    @cached_property
    def _pair(self) -> tuple[Any, Any]:
        from safetensors import SafetensorError
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        try:
            with quiet_loading():
                tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True, trust_remote_code=False)
                model, report = AutoModelForSequenceClassification.from_pretrained(
                    self._folder, local_files_only=True, trust_remote_code=False, output_loading_info=True
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, pickle.UnpicklingError, EOFError) as exc:
            raise self._unusable(" ".join(str(exc).split())[:200]) from exc
        # transformers fills what a file lacks with random numbers: an encoder without a head would rank by chance.
        if lacking := sorted(report["missing_keys"]):
            raise self._unusable(f"its weights lack {len(lacking)} tensors, such as {lacking[0]}")
        if model.config.num_labels > 2:
            raise self._unusable(f"it has {model.config.num_labels} labels")
        if not tokenizer.is_fast:
            raise self._unusable("its tokenizer is not of the fast kind")
        return model.float().to(self._device).eval(), tokenizer

    @property
    def _window(self) -> int:
        """Tokens of question and text together. RoBERTa's positions begin after the padding index."""
        model, tokenizer = self._loaded
        positions = int(getattr(model.config, "max_position_embeddings", 512))
        if "roberta" in model.config.model_type:
            positions -= int(model.config.pad_token_id) + 1
        return min(positions, int(tokenizer.model_max_length), 512)

    def _unusable(self, reason: str) -> EncoderError:
        return EncoderError(f"the reranker {self.name!r} cannot be used: {reason}", _FORM, "choose another")


def _folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file() or not weight_files(folder):
            raise EncoderError(f"the folder {name!r} holds no reranker", _FORM, "give another folder")
        return folder.resolve()
    try:
        return resolve(name)
    except EncoderError as exc:
        raise EncoderError(
            f"the reranker {name!r} is not on this machine",
            "`llm`, a folder, or a Hugging Face id; nothing is fetched unless you allow it",
            f"give a folder, or set {ALLOW_DOWNLOADS}=1 and try again",
        ) from exc


def _cut(tokenizer: Any, question: str, tokens: int) -> str:
    """The beginning of a question that has at most `tokens` tokens."""
    spans = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return question if len(spans) <= tokens else question[: spans[tokens - 1][1]]
