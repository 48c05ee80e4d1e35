"""Measurements that are kept as commands: `triptych bench …`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["cold_start", "encode", "ingest", "search"]


def cold_start(runs: int) -> dict[str, Any]:
    """Median wall seconds of fresh processes: `triptych --help`, and `triptych search` on the demo corpus."""
    from rag.corpus import Corpus
    from rag.demo import FILES

    with tempfile.TemporaryDirectory() as folder:
        with Corpus.open(folder) as corpus:
            corpus.ingest(FILES)
        commands = {
            "triptych --help": ["--help"],
            "triptych search": ["search", "rain in the wettest month", "--corpus", folder, "--json"],
        }
        seconds = {
            name: statistics.median(_wall(arguments) for _ in range(runs)) for name, arguments in commands.items()
        }
    return {"runs": runs, "seconds": seconds}


def encode(encoder: str, runs: int) -> dict[str, Any]:
    """Medians of texts and pictures a second: those of the demo corpus, all at once and one by one."""
    from llama_index.core.schema import ImageNode, MetadataMode

    from rag.corpus import Corpus
    from rag.demo import FILES

    with tempfile.TemporaryDirectory() as folder, Corpus.open(folder, encoder=encoder) as corpus:
        corpus.ingest(FILES)
        nodes = corpus.store.get_nodes(with_vectors=False)
        pictures = [node.image_path for node in nodes if isinstance(node, ImageNode) and node.image_path]
        texts = [node.get_content(MetadataMode.NONE) for node in nodes if not isinstance(node, ImageNode)]
        encode_texts, encode_images = corpus.encoder.encode_texts, corpus.encoder.encode_images
        jobs: dict[str, tuple[int, Callable[[], object]]] = {
            "texts": (len(texts), lambda: encode_texts(texts)),
            "texts one by one": (len(texts), lambda: [encode_texts([text]) for text in texts]),
            "pictures": (len(pictures), lambda: encode_images(pictures)),
            "pictures one by one": (len(pictures), lambda: [encode_images([picture]) for picture in pictures]),
        }
        rates = {name: count / _median(job, runs) for name, (count, job) in jobs.items()}
        name = str(corpus.encoder.fingerprint)
    return {"encoder": name, "runs": runs, "per_second": rates}


def search(folder: Path | None, runs: int) -> dict[str, Any]:
    """Milliseconds of a question in words (p50, p95); the headings of the corpus (the demo's if None) are asked."""
    from rag.corpus import Corpus
    from rag.demo import FILES

    with tempfile.TemporaryDirectory() as temporary, Corpus.open(folder or temporary, create=folder is None) as corpus:
        if folder is None:
            corpus.ingest(FILES)
        nodes = corpus.store.get_nodes(with_vectors=False, limit=2000)
        asked = sorted(
            {str(node.metadata.get("section") or node.metadata.get("title") or "") for node in nodes} - {""}
        )[:100]
        corpus.search(asked[0])
        times = sorted(_seconds(partial(corpus.search, question)) for question in asked * runs)
        points = corpus.store.count()
    percentiles = {f"p{share}": 1000 * times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 95)}
    return {"points": points, "questions": len(times), "milliseconds": percentiles}


def ingest(paths: Sequence[Path], encoder: str, files: int | None = None) -> dict[str, Any]:
    """Rates of one ingestion into a new corpus, and the seconds of a second one that finds all unchanged.

    `encoder_waits` is the share of the first one's time in which the encoder had nothing to do; `run_mib` and
    `reader_mib` are the peaks of memory of this process and of the largest of those that parse (0 where the platform
    does not tell). Pages are those of formats that have pages. With `files`, so many texts of one line, made in one
    folder, are ingested beside the paths.
    """
    from ingestion.workers import ReaderPool
    from rag.corpus import Corpus
    from rag.demo import FILES

    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as notes,
        Corpus.open(folder, encoder=encoder) as corpus,
        ReaderPool() as readers,
    ):
        _ = corpus.encoder
        given = [*paths, *([_notes(Path(notes), files)] if files else [])] or [FILES]
        first, again = (corpus.ingest(*given, readers=readers) for _ in range(2))
        reader = readers.peak()
        metadata = [node.metadata for node in corpus.store.get_nodes(with_vectors=False)]
    pages = {(known["source"], known["page"]) for known in metadata if known.get("page") is not None}
    counts = {
        "files": first.sources.added,
        "pages": len(pages),
        "pictures": first.images,
        "nodes": first.texts + first.images,
    }
    return {
        **counts,
        "run_mib": _peak() >> 20,
        "reader_mib": reader >> 20,
        "encoder_waits": round(first.waited / first.seconds, 3),
        "seconds": {"first": first.seconds, "again": again.seconds},
        "per_second": {name: count / first.seconds for name, count in counts.items()},
    }


def _notes(folder: Path, count: int) -> Path:
    """The folder, with `count` texts of one line in it, no two alike."""
    for number in range(count):
        line = f"Note {number}: gauge {number % 997} stood at {number % 13} millimetres.\n"
        (folder / f"{number}.txt").write_text(line, encoding="utf-8")
    return folder


def _peak() -> int:
    """Bytes of memory that this process had at most; 0 where the platform does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _median(job: Callable[[], object], runs: int) -> float:
    return statistics.median(_seconds(job) for _ in range(runs))


def _seconds(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def _wall(arguments: list[str]) -> float:
    command = [sys.executable, "-m", "rag.cli", *arguments]
    return _seconds(lambda: subprocess.run(command, check=True, capture_output=True))
