"""One ingestion at a time: the second waits, or is refused and told by whom."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestion.lock import LOCK_FILE, one_at_a_time
from rag.corpus import Corpus
from rag.errors import StoreError, StoreLocked
from tests.patience import LONG

ROOT = Path(__file__).resolve().parents[1]
HOLD = (
    "import sys\nfrom pathlib import Path\nfrom ingestion.lock import one_at_a_time\n"
    "with one_at_a_time(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)
OPEN = (
    "import sys\nfrom rag import Corpus\n"
    "with Corpus.open(sys.argv[1], encoder='fake'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


@contextmanager
def held(corpus: Path, code: str = HOLD) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the corpus until its input ends."""
    command = [sys.executable, "-c", code, str(corpus)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield other


def test_a_second_ingestion_is_refused_and_told_which_process_holds_the_corpus(tmp_path: Path):
    (tmp_path / "a.txt").write_text("words")
    with held(tmp_path / "c") as other, Corpus.open(tmp_path / "c", encoder="fake", qdrant=":memory:") as corpus:
        with pytest.raises(StoreLocked, match=rf"process {other.pid} is ingesting.*--wait SECONDS"):
            corpus.ingest(tmp_path / "a.txt")
        other.communicate()
        assert corpus.ingest(tmp_path / "a.txt").sources.added == 1


def test_a_second_ingestion_waits_as_long_as_it_is_told(tmp_path: Path):
    with held(tmp_path / "c") as other:
        ending = threading.Timer(0.5, other.communicate)
        ending.start()
        with one_at_a_time(tmp_path / "c", wait=LONG):
            assert (tmp_path / "c" / LOCK_FILE).read_text() == f"{os.getpid()}\n"
        ending.join()


def test_a_corpus_opens_as_soon_as_another_process_lets_go_of_it(tmp_path: Path):
    with held(tmp_path / "c", OPEN) as other:
        with pytest.raises(StoreLocked, match=r"in use by another process, after 0\.1 s of waiting"):
            Corpus.open(tmp_path / "c", wait=0.1)
        ending = threading.Timer(0.5, other.communicate)
        ending.start()
        Corpus.open(tmp_path / "c", wait=LONG).close()
        ending.join()


def test_a_corpus_that_this_process_has_open_is_not_waited_for(tmp_path: Path):
    with Corpus.open(tmp_path / "c", encoder="fake"):
        with pytest.raises(StoreError, match="open in this process already") as told:
            Corpus.open(tmp_path / "c", wait=LONG)
        assert not isinstance(told.value, StoreLocked)
    Corpus.open(tmp_path / "c").close()


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path):
    with held(tmp_path / "c") as other:
        other.kill()
        other.wait()
        with one_at_a_time(tmp_path / "c"):
            assert (tmp_path / "c" / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(tmp_path: Path):
    (tmp_path / "c").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"), one_at_a_time(tmp_path / "c" / "d"):
        pass
