"""Any CLIP-architecture checkpoint in Hugging Face form, with torch and transformers 5."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from rag.encoders.backend import Floats, Integers, TensorBackend, file_digest
from rag.encoders.hub import WEIGHTS, weight_files
from rag.encoders.preprocess import Interpolation, PixelRecipe
from rag.errors import EncoderError, MissingExtra

__all__ = ["TorchBackend", "pick_device", "pixel_recipe", "quiet_loading", "read_config", "require_torch"]

_PRECISIONS: Final = {"auto": "float32", "fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_RESAMPLING: Final[Mapping[int, Interpolation]] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


class TorchBackend(TensorBackend):
    """A CLIP checkpoint. Its configuration is read at once, its weights when they are first used.

    The text tower is causal and pools at the first end token, so padding to the longest of a batch is exact.
    """

    def __init__(self, name: str, folder: Path, device: str = "auto", precision: str = "auto") -> None:
        """`name` enters the fingerprint.

        Raises:
            EncoderError: the folder is not a usable CLIP checkpoint, or the device or precision cannot be had.
            MissingExtra: torch or transformers is not installed.
        """
        require_torch(name)
        if precision not in _PRECISIONS:
            raise EncoderError(f"precision {precision!r} was given", f"one of {', '.join(_PRECISIONS)}")
        config = read_config(folder / "config.json")
        if config.get("model_type") != "clip":
            raise EncoderError(
                f"{name!r} has the architecture {config.get('model_type')!r}",
                "only 'clip' is supported",
                "`triptych encoders` lists models that are known to work",
            )
        self.name, self._folder, self._precision = name, folder, _PRECISIONS[precision]
        self._files = weight_files(folder)
        if not self._files:
            raise _broken(folder, f"there are no weights ({' or '.join(WEIGHTS)})")
        self._device = pick_device(device)
        parsed = _parsed_config(folder)
        self._dim = int(parsed.projection_dim)
        recipe = pixel_recipe(_processor_config(folder))
        if recipe.size != parsed.vision_config.image_size:
            raise EncoderError(
                f"{name!r} prepares pictures of {recipe.size} pixels for a tower of {parsed.vision_config.image_size}",
                "both must be equal",
                "correct preprocessor_config.json",
            )
        tokenizer = _tokenizer(folder)
        pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        super().__init__(
            tokenizer.backend_tokenizer, int(parsed.text_config.max_position_embeddings), recipe, int(pad_id)
        )

    @property
    def dim(self) -> int:
        """The dimension of the shared space (`projection_dim`)."""
        return self._dim

    def digest(self) -> str:
        """sha256 over the weight files."""
        return self._digest

    def run_text(self, ids: Integers, mask: Integers) -> Floats:
        """(b, t) int64 ids and mask → (b, dim) float32."""
        import torch

        with torch.inference_mode():
            output = self._model.get_text_features(
                input_ids=torch.from_numpy(ids).to(self._device), attention_mask=torch.from_numpy(mask).to(self._device)
            )
            return _to_numpy(output)

    def run_image(self, pixels: Floats) -> Floats:
        """(b, 3, size, size) float32 → (b, dim) float32."""
        import torch

        # TF32 convolutions would move a vector by 1e-3, and differently for each batch size.
        exact = torch.backends.cudnn.flags(allow_tf32=False) if self._device.startswith("cuda") else nullcontext()
        with torch.inference_mode(), exact:
            batch = torch.from_numpy(pixels).to(self._device, dtype=getattr(torch, self._precision))
            return _to_numpy(self._model.get_image_features(pixel_values=batch))

    @cached_property
    def _digest(self) -> str:
        return file_digest(self._files)

    @property
    def _model(self) -> Any:
        with self._lock:
            return self._loaded_model

    @cached_property
    def _loaded_model(self) -> Any:
        import torch
        from safetensors import SafetensorError
        from transformers import CLIPModel

        try:
            with quiet_loading():
                model, report = CLIPModel.from_pretrained(
                    self._folder,
                    local_files_only=True,
                    dtype=getattr(torch, self._precision),
                    output_loading_info=True,
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, pickle.UnpicklingError, EOFError) as exc:
            raise _broken(self._folder, f"its weights cannot be loaded: {exc}") from exc
        # transformers fills what a file lacks with random numbers; vectors of such a model mean nothing.
        lacking = sorted(report["missing_keys"])
        if lacking:
            raise _broken(self._folder, f"its weights lack {len(lacking)} tensors, such as {lacking[0]}")
        return model.to(self._device).eval()


def require_torch(name: str) -> None:
    """Fail early and by name where the extra is absent.

    Raises:
        MissingExtra: torch or transformers is not installed.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtra(f"the encoder {name!r}", "clip")


def pixel_recipe(config: Mapping[str, Any]) -> PixelRecipe:
    """The recipe of a `CLIPImageProcessor` configuration, equal to transformers' `CLIPImageProcessorPil`.

    Raises:
        EncoderError: the configuration asks for steps that CLIP's processor does not have.
    """
    if not config.get("do_resize", True):
        raise _odd_processor("do_resize", False)
    squash, side = _size(config.get("size", {"shortest_edge": 224}))
    crops = bool(config.get("do_center_crop", True))
    size = _size(config.get("crop_size", 224))[1] if crops else side
    if size > side or (squash and size != side) or not (crops or squash):
        raise _odd_processor("crop_size", config.get("crop_size") if crops else None)
    normalizes = bool(config.get("do_normalize", True))
    resample = config.get("resample", 3)
    if resample not in _RESAMPLING:
        raise _odd_processor("resample", resample)
    return PixelRecipe(
        size=size,
        resize="squash" if squash else "crop",
        interpolation=_RESAMPLING[resample],
        mean=_three(config.get("image_mean", PixelRecipe.mean)) if normalizes else (0.0, 0.0, 0.0),
        std=_three(config.get("image_std", PixelRecipe.std)) if normalizes else (1.0, 1.0, 1.0),
        short_side=0 if squash else side,
        crop_offset="floor",
        scale=float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0,
    )


def _size(value: Any) -> tuple[bool, int]:
    """Whether both sides are fixed, and their length, from the forms that published checkpoints use."""
    if isinstance(value, int):
        return False, value
    if isinstance(value, dict) and isinstance(value.get("shortest_edge"), int) and not value.get("longest_edge"):
        return False, value["shortest_edge"]
    if isinstance(value, dict) and isinstance(value.get("height"), int) and value["height"] == value.get("width"):
        return True, value["height"]
    raise _odd_processor("size", value)


def _three(value: Any) -> tuple[float, float, float]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise _odd_processor("image_mean or image_std", value)
    return float(value[0]), float(value[1]), float(value[2])


def _odd_processor(key: str, value: object) -> EncoderError:
    return EncoderError(
        f"the image processor says {key} = {value!r}", "what CLIP's own processor does", "use another checkpoint"
    )


def _broken(folder: Path, reason: str) -> EncoderError:
    return EncoderError(
        f"the checkpoint in {str(folder)!r} is broken: {reason}",
        "config.json, preprocessor_config.json, tokenizer files and model.safetensors of a CLIP model",
        "download or save it again; `triptych encoders` lists models that are known to work",
    )


def read_config(path: Path) -> dict[str, Any]:
    """A JSON file of a checkpoint. Raises EncoderError where it is missing or no object."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise _broken(path.parent, f"{path.name} is missing or unreadable") from exc
    except ValueError as exc:
        raise _broken(path.parent, f"{path.name} is not JSON") from exc
    if not isinstance(values, dict):
        raise _broken(path.parent, f"{path.name} is not an object")
    return values


def _processor_config(folder: Path) -> Mapping[str, Any]:
    """transformers 5 saves one processor_config.json; older versions a preprocessor_config.json."""
    if (folder / "preprocessor_config.json").is_file():
        return read_config(folder / "preprocessor_config.json")
    config = read_config(folder / "processor_config.json").get("image_processor")
    if not isinstance(config, dict):
        raise _broken(folder, "processor_config.json has no image_processor")
    return config


def _parsed_config(folder: Path) -> Any:
    from transformers import CLIPConfig

    try:
        return CLIPConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as exc:
        raise _broken(folder, f"config.json: {exc}") from exc


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise _broken(folder, f"the tokenizer cannot be loaded: {exc}") from exc
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise _broken(folder, "the tokenizer is not of the fast kind")
    return tokenizer


def pick_device(device: str) -> str:
    """The torch device to use. Raises EncoderError for one that is not here."""
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind, _, index = device.partition(":")
    counted = not index or (kind == "cuda" and index.isdigit() and int(index) < torch.cuda.device_count())
    if not usable.get(kind, False) or not counted:
        here = [name for name, there in usable.items() if there]
        raise EncoderError(f"device {device!r} cannot be used here", f"one of auto, {', '.join(here)}", "use 'auto'")
    return device


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Without the progress bars and the loading report of transformers: what they tell is checked here."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _to_numpy(output: Any) -> Floats:
    return np.asarray(output.pooler_output.float().cpu().numpy(), dtype=np.float32)
