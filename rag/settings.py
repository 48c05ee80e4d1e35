"""Settings: what a corpus, a question and an answer use where nothing else is said.

Order of precedence: arguments, `TRIPTYCH_*` environment variables, `triptych.toml` in the working directory (or the
file that `TRIPTYCH_CONFIG` names), `triptych.toml` in the corpus's own folder (as `triptych eval tune --write` makes
it), the defaults below. Read when a `Settings` is made, never at import.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from rag.errors import InputError
from rag.schema import Leg

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["OF_CORPUS", "Settings"]

OF_CORPUS: Final = ("depth", "depths", "fusion", "weights")
"""What a corpus's own `triptych.toml` may set. No more: a folder may come from a stranger, and must not say
which server is sent the documents and the key."""

_FILE: Final = "triptych.toml"


def _config() -> Path:
    return Path(os.environ.get("TRIPTYCH_CONFIG", _FILE))


class Settings(BaseSettings):
    """Every setting, with its unit. In `triptych.toml` the names are the same; in the environment `TRIPTYCH_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix="TRIPTYCH_", extra="forbid", validate_default=False, env_ignore_empty=True
    )

    corpus: Path = Path(".triptych")
    """Folder of the embedded collection and of the pictures."""
    qdrant: str = ""
    """URL of a Qdrant server; empty for the embedded engine."""
    qdrant_api_key: SecretStr = SecretStr("")
    collection: str = "triptych"

    encoder: str = ""
    """Alias, Hugging Face id or folder; empty for the collection's own encoder, `bundled` for a new one."""
    device: str = "auto"
    language: str = ""
    """Of the documents, for stems and stop words; empty for the collection's own, english for a new one."""

    ocr: bool = False
    """Whether the words in pictures and on scanned pages are read at ingestion; needs the extra `[ocr]`."""
    reader_workers: int | None = Field(default=None, ge=0)
    """Processes that parse files; unset for as many as help, 0 to parse in the run's own process, without limits."""
    reader_timeout: float = Field(default=300.0, gt=0)
    """Seconds that a file may take to be parsed."""
    reader_memory: int = Field(default=2048, ge=256)
    """MiB that a process which parses may use, where the platform can bound it (Linux)."""

    fetch_limit: int = Field(default=100, ge=1)
    """MiB that a document from a URL or an object store may have."""
    fetch_timeout: float = Field(default=60.0, gt=0)
    """Seconds that fetching a URL may take in all."""
    fetch_pictures: bool = False
    """Whether pictures are fetched that documents show from the web."""
    allow_private: bool = False
    """Whether URLs may lead to loopback and private addresses."""

    k: int = Field(default=10, ge=1)
    """Hits of a search."""
    depth: int = Field(default=50, ge=1)
    """Candidates that each leg contributes before fusion."""
    depths: dict[Leg, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Depth of single legs; legs not named have `depth`."""
    fusion: str = "calibrated"
    weights: dict[Leg, float] = Field(default_factory=dict)
    """Weight per leg; legs not named weigh 1."""
    collapse: bool = True
    """Whether `search` and `ask` fold near-duplicates into the best of them."""
    rerank: str = ""
    """`llm`, or the folder or Hugging Face id of a cross-encoder; empty for none."""
    rerank_depth: int = Field(default=50, ge=1)
    """Hits that are reranked."""
    threshold: float = Field(default=0.0, ge=0, le=1)
    """Confidence below which a hit is left out."""

    llm: str = ""
    """Name of the model; empty for the extractive answer."""
    llm_base_url: str = ""
    """An OpenAI-compatible endpoint; empty for OpenAI itself."""
    llm_api_key: SecretStr = SecretStr("")
    llm_timeout: float = Field(default=60.0, gt=0)
    """Seconds."""
    llm_multimodal: bool = True
    """Whether the model takes pictures; otherwise it is given their captions alone."""
    passages: int = Field(default=8, ge=1)
    """Hits that an answer is given."""
    token_budget: int = Field(default=6000, ge=200)
    """Tokens of material that an answer is given."""
    max_pictures: int = Field(default=4, ge=0)
    picture_bound: int = Field(default=1024, ge=64)
    """Longest side, in pixels, of a picture that is sent to the model."""

    @classmethod
    def load(cls, **given: Any) -> Settings:
        """Read the settings; arguments that are None count as not given. Raises InputError in one line."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as exc:
            first = exc.errors()[0]
            name, *inner = [str(part) for part in first["loc"] if part != "[key]"]
            allowed = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
            raise InputError(
                f"setting {'.'.join((name, *inner))} = {first.get('input')!r}",
                f"allowed: {', '.join(cls.model_fields) if first['type'] == 'extra_forbidden' else allowed}",
                f"correct it in {_config()} or in TRIPTYCH_{name.upper()}",
            ) from exc
        except SettingsError as exc:
            raise InputError(f"{exc}: {exc.__cause__}", "allowed: JSON", "correct the variable") from exc
        except (OSError, ValueError) as exc:
            raise InputError(f"the settings cannot be read: {exc}", advice=f"correct {_config()}") from exc

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file, then the file of the corpus."""
        file = _config()
        if "TRIPTYCH_CONFIG" in os.environ and not file.is_file():
            raise InputError(f"TRIPTYCH_CONFIG = {file}", "allowed: a file that is there", "correct or unset it")
        of_file = TomlConfigSettingsSource(settings_cls, toml_file=file)
        return init_settings, env_settings, of_file, _CorpusSource(settings_cls, besides=file)

    def openai_key(self) -> str:
        """The key for the language model: `llm_api_key`, else `OPENAI_API_KEY` where OpenAI itself is asked."""
        key = self.llm_api_key.get_secret_value()
        return key or ("" if self.llm_base_url else os.environ.get("OPENAI_API_KEY", ""))


class _CorpusSource(PydanticBaseSettingsSource):
    """`triptych.toml` in the folder that the sources before this one call the corpus."""

    def __init__(self, settings_cls: type[BaseSettings], besides: Path) -> None:
        super().__init__(settings_cls)
        self._besides = besides

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not asked: the file is read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The settings of the file; none where there is no file, or where it was read already as the user's own."""
        corpus = self.current_state.get("corpus", self.settings_cls.model_fields["corpus"].default)
        file = Path(corpus) / _FILE
        if not file.is_file() or (self._besides.is_file() and file.samefile(self._besides)):
            return {}
        try:
            values: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise InputError(f"{file} cannot be read: {exc}", advice="correct or remove the file") from exc
        if strange := sorted(set(values) - set(OF_CORPUS)):
            raise InputError(
                f"{file} sets {strange[0]}",
                f"allowed in the file of a corpus: {', '.join(OF_CORPUS)}",
                "set it in the triptych.toml of the working directory",
            )
        return values
