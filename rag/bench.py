"""Measurements that are kept as commands: `triptych bench …`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["cold_start"]


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


def _wall(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "rag.cli", *arguments], check=True, capture_output=True, cwd=Path.cwd())
    return time.perf_counter() - started
