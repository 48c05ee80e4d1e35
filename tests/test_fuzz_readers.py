"""The readers over hostile variants of real files: a document or one line of refusal, and nothing beside it.

Always the same files, on machines of any speed; `TRIPTYCH_FUZZ_SECONDS=600` goes on for that time and
`TRIPTYCH_FUZZ_SEED=7` takes other ones. A file that breaks the rule is kept where the message says.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.conftest import SHARED_DATA
from tests.mutations import mutated
from tests.patience import processor_seconds
from tests.samples import samples

ROOT = Path(__file__).resolve().parents[1]
FILES = 500
SECONDS = float(os.environ.get("TRIPTYCH_FUZZ_SECONDS", "0"))
"""As long as damaged files are made; 0: until there were FILES of them."""
SEED = os.environ.get("TRIPTYCH_FUZZ_SEED", "0")
ONLY = os.environ.get("TRIPTYCH_FUZZ_ONLY", "").split()
CPU = 5.0, 30.0
"""Seconds of processor time of a usual machine that a file may take, and for each MB of it."""
WALL = 300.0
"""Seconds after which the process is killed."""
LARGEST = 300_000
"""Bytes of a file that is worth reading here: larger ones take longer than they teach."""
PER_KIND = 3


class Child:
    """A process that reads; another one after it broke."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def read(self, path: Path) -> dict[str, Any]:
        """What became of a file, and what was seen beside."""
        process = self.process or self._start()
        process.stdin.write(json.dumps([str(path), str(path.parent)]) + "\n")
        process.stdin.flush()
        if line := self._line(WALL):
            return json.loads(line)
        late = process.poll() is None
        self.close()
        return {
            "outcome": f"no answer within {WALL:g} s" if late else f"ended with status {process.returncode}",
            "seen": [],
        }

    def _start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reader_child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._line(WALL) == "ready\n"
        return self.process

    def _line(self, seconds: float) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return self.process.stdout.readline() if selector.select(seconds) else ""

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture
def child() -> Iterator[Child]:
    opened = Child()
    yield opened
    opened.close()


def sources(folder: Path) -> list[tuple[str, bytes]]:
    """(suffix, content) of the project's own samples, and of some small real documents of each kind where they are."""
    found = [(kind, path.read_bytes()) for kind, path in samples(folder).items()]
    taken: Counter[str] = Counter()
    real = [path for name in ("docs-ingestion", "hostile-images") for path in sorted((SHARED_DATA / name).rglob("*.*"))]
    for path in Random(SEED).sample(real, len(real)):
        kind = path.suffix[1:].lower().replace("jpg", "jpeg").replace("tif", "tiff").replace("tifff", "tiff")
        if kind in dict(found) and taken[kind] < PER_KIND and path.is_file() and path.stat().st_size < LARGEST:
            taken[kind] += 1
            found.append((kind, path.read_bytes()))
    return [(kind, data) for kind, data in found if not ONLY or kind in ONLY]


@pytest.mark.slow
def test_a_damaged_file_of_any_kind_is_read_or_refused_in_one_line_and_nothing_else_happens(
    child: Child, tmp_path: Path
):
    files, kept = sources(tmp_path), tmp_path / "kept"
    kept.mkdir()
    problems: list[str] = []
    counts: Counter[str] = Counter()
    end, number = time.monotonic() + SECONDS, 0
    while (time.monotonic() < end if SECONDS else number < FILES) and len(problems) < 50:
        kind, data = files[number % len(files)]
        path = tmp_path / f"damaged.{kind}"
        changed = mutated(Random(f"{SEED} {number}"), data, kind)
        number += 1
        if len(changed) > LARGEST:
            continue
        path.write_bytes(changed)
        told = child.read(path)
        counts[f"{kind} {told['outcome'][:40]}"] += 1
        wrong = [*told["seen"], *(() if told["outcome"] in ("read", "refused") else (told["outcome"],))]
        allowed = CPU[0] + CPU[1] * path.stat().st_size / 1e6
        if told.get("cpu", 0) > allowed and told["cpu"] > processor_seconds(allowed):
            wrong.append(f"took {told['cpu']:.1f} s")
        if wrong:
            keep = kept / f"{number}.{kind}"
            path.replace(keep)
            problems.append(f"{keep}: {'; '.join(wrong)}")
    sys.stdout.write(f"\n{number} files {dict(sorted(counts.items()))}\n")
    assert not problems, "\n".join(problems)
    assert number >= len(files)
