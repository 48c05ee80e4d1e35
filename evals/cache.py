"""Vectors kept by what they are the vectors of, so that no text and no picture is encoded twice.

One SQLite file in a folder. A key is the encoder (weights, preprocessing, precision), the tower, and the sha256 of the
content; so another task, another dataset or another order finds the same vectors. A cache may be lost at any time: a
file that is damaged, locked or cannot be written is ignored, and the log says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np
from llama_index.core.bridge.pydantic import PrivateAttr
from numpy.typing import NDArray

from evals.schema import file_digest
from rag.encoders import ClipEncoder

if TYPE_CHECKING:
    from typing_extensions import Self

    from rag.pictures import ImageInput

__all__ = ["CachingEncoder", "VectorCache", "encoder_key"]

Floats = NDArray[np.float32]
Tower = Literal["text", "image"]
Item = TypeVar("Item")

FILE: Final = "embeddings.sqlite"
BOUND: Final = 1 << 30
"""Bytes of vectors that a cache holds at most; the longest unused go first."""

_LOG = logging.getLogger(__name__)
_UNFLUSHED: Final = 1024
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS vectors"
    " (encoder TEXT, tower TEXT, content TEXT, vector BLOB NOT NULL, used INTEGER NOT NULL,"
    " PRIMARY KEY (encoder, tower, content))"
)


class VectorCache:
    """Vectors of one encoder in the SQLite file of a folder. Close it, or use it as a context manager."""

    def __init__(self, folder: str | Path, encoder: str, dim: int, *, bound: int = BOUND) -> None:
        """`encoder` is an `encoder_key`, `dim` the length of its vectors, `bound` in bytes of vectors."""
        self.path = Path(folder) / FILE
        self._encoder, self._dim, self._bound = encoder, dim, bound
        self._lock = threading.RLock()
        self._waiting: dict[tuple[Tower, str], Floats] = {}
        self._touched: set[tuple[Tower, str]] = set()
        self._file: sqlite3.Connection | None = None
        with self._survive():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(self.path, timeout=5, check_same_thread=False)
            self._file.execute("PRAGMA synchronous = OFF")  # a cache that a crash empties is only slow
            self._file.execute(_SCHEMA)
            self._file.commit()

    def get(self, tower: Tower, contents: Sequence[str]) -> dict[str, Floats]:
        """Content digest → (dim,) float32 unit vector, for those that are kept."""
        with self._lock:
            found = {
                content: self._waiting[tower, content] for content in contents if (tower, content) in self._waiting
            }
            wanted = [content for content in dict.fromkeys(contents) if content not in found]
            with self._survive():
                for start in range(0, len(wanted), 500):
                    found |= self._read(tower, wanted[start : start + 500])
            self._touched.update((tower, content) for content in found)
            return found

    def put(self, tower: Tower, vectors: Mapping[str, Floats]) -> None:
        """Keep vectors by content digest. They reach the file in batches, and when the cache is closed."""
        with self._lock:
            self._waiting |= {(tower, content): vector for content, vector in vectors.items()}
            if len(self._waiting) >= _UNFLUSHED:
                self.flush()

    def flush(self) -> None:
        """Write what waits, and drop the longest unused where the bound is exceeded."""
        with self._lock, self._survive():
            if self._file is None:
                return
            now = time.time_ns()
            with self._file as file:
                file.executemany(
                    "UPDATE vectors SET used = ? WHERE encoder = ? AND tower = ? AND content = ?",
                    [(now, self._encoder, *key) for key in self._touched - self._waiting.keys()],
                )
                file.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)",
                    [
                        (self._encoder, *key, np.asarray(vector, dtype="<f4").tobytes(), now)
                        for key, vector in self._waiting.items()
                    ],
                )
                self._prune(file)
            self._waiting.clear()
            self._touched.clear()

    def close(self) -> None:
        """Write what waits and let go of the file."""
        self.flush()
        with self._lock, self._survive():
            if self._file is not None:
                self._file.close()
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, tower: Tower, contents: Sequence[str]) -> dict[str, Floats]:
        if self._file is None:
            return {}
        marks = ",".join("?" * len(contents))
        rows = self._file.execute(
            f"SELECT content, vector FROM vectors WHERE encoder = ? AND tower = ? AND content IN ({marks})",
            (self._encoder, tower, *contents),
        )
        return {content: vector for content, blob in rows if (vector := self._vector(blob)) is not None}

    def _vector(self, blob: Any) -> Floats | None:
        """The vector of a blob; None for one that is no unit vector of this encoder's dimension."""
        if not isinstance(blob, bytes) or len(blob) != 4 * self._dim:
            return None
        vector = np.frombuffer(blob, dtype="<f4").astype(np.float32)
        return vector if abs(float(np.linalg.norm(vector)) - 1) < 1e-3 else None

    def _prune(self, file: sqlite3.Connection) -> None:
        (held,) = file.execute("SELECT COALESCE(SUM(LENGTH(vector)), 0) FROM vectors").fetchone()
        if held > self._bound:
            file.execute(
                "DELETE FROM vectors WHERE (encoder, tower, content) IN (SELECT encoder, tower, content FROM"
                " (SELECT encoder, tower, content, SUM(LENGTH(vector)) OVER"
                " (ORDER BY used DESC, encoder, tower, content) AS size FROM vectors) WHERE size > ?)",
                (self._bound,),
            )

    def _survive(self) -> _Survive:
        return _Survive(self)

    def _give_up(self, error: BaseException) -> None:
        _LOG.warning("embeddings are not cached: %s cannot be used (%s); delete it to begin anew", self.path, error)
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._file.close()
        self._file = None
        self._waiting.clear()


class _Survive:
    """What SQLite and the file system refuse ends the cache, never the run."""

    def __init__(self, cache: VectorCache) -> None:
        self._cache = cache

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, sqlite3.Error | OSError):
            self._cache._give_up(error)
            return True
        return False


def encoder_key(encoder: ClipEncoder) -> str:
    """sha256 (hex) of all that decides an encoder's vectors."""
    mark = encoder.fingerprint
    return hashlib.sha256(f"{mark.digest}\0{mark.dim}\0{mark.preprocessing}\0{encoder.precision}".encode()).hexdigest()


class CachingEncoder(ClipEncoder):
    """An encoder that asks a cache first. Its vectors are those of the encoder it stands for.

    `counts` tells how many texts and pictures were encoded, and how many came from the cache.
    """

    _cache: VectorCache = PrivateAttr()
    _counts: dict[str, int] = PrivateAttr()

    def __init__(self, encoder: ClipEncoder, cache: VectorCache) -> None:
        super().__init__(
            encoder.name,
            encoder.device,
            encoder.backend,
            encoder.precision,
            encoder.embed_batch_size,
            threads=encoder.threads,
            loaded=encoder._loaded,
        )
        self._fingerprint = encoder.fingerprint
        self._cache, self._counts = cache, {"encoded": 0, "reused": 0}

    @property
    def counts(self) -> dict[str, int]:
        """`{"encoded", "reused"}`, texts and pictures together, since the encoder was made."""
        return dict(self._counts)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """As `ClipEncoder.encode_texts`."""
        return self._through("text", texts, _text_digest, super().encode_texts)

    def encode_images(self, images: Sequence[ImageInput]) -> Floats:
        """As `ClipEncoder.encode_images`; only pictures given as files and bytes are kept."""
        return self._through("image", images, _picture_digest, super().encode_images)

    def _through(
        self,
        tower: Tower,
        items: Sequence[Item],
        digest: Callable[[Item], str],
        encode: Callable[[Sequence[Item]], Floats],
    ) -> Floats:
        if isinstance(items, str | bytes) or not len(items):
            return encode(items)
        digests = [digest(item) for item in items]
        kept = self._cache.get(tower, [content for content in digests if content])
        missing = [place for place, content in enumerate(digests) if content not in kept]
        rows = np.empty((len(items), self.dim), dtype=np.float32)
        if missing:
            rows[missing] = encode([items[place] for place in missing])
            self._cache.put(tower, {digests[place]: rows[place].copy() for place in missing if digests[place]})
        for place, content in enumerate(digests):
            if content in kept:
                rows[place] = kept[content]
        self._counts["encoded"] += len(missing)
        self._counts["reused"] += len(items) - len(missing)
        return rows


def _text_digest(text: str) -> str:
    """Empty, which is kept nowhere, for what is no string: the encoder refuses it in its own words."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if isinstance(text, str) else ""


def _picture_digest(image: Any) -> str:
    """Empty, which is kept nowhere, for a picture that is neither a readable file nor bytes."""
    if isinstance(image, bytes):
        return hashlib.sha256(image).hexdigest()
    return file_digest(Path(image)) if isinstance(image, str | Path) else ""
