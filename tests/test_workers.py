"""Reader processes: what a file does to its reader is that file's failure, and the others go on."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ingestion import frames
from ingestion.document import Block, Omission, ParsedDocument, Picture
from ingestion.reading import ATTEMPTS, Job, Reading, carry_out
from ingestion.workers import InProcess, ReaderPool, _Room, open_readers
from rag.errors import SourceError
from tests.patience import until

ROOT = Path(__file__).resolve().parents[1]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the platform cannot bound memory, or tell processes apart")


def job(path: Path, stored: str | None = None) -> Job:
    return Job(path, path.parent, "settings", stored)


def text(path: Path, words: str = "Some words.") -> Path:
    path.write_text(words, encoding="utf-8")
    return path


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """A file that is never read to its end: nobody writes to the pipe."""
    os.mkfifo(tmp_path / "stuck.txt")
    return tmp_path / "stuck.txt"


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    with ReaderPool(2) as opened:
        yield opened


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and that are there; its threads may end while they are asked."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, (task / "children").read_text().split())
    return found


def test_a_process_reads_what_is_read_without_one(pool: ReaderPool, tmp_path: Path):
    paths = [text(tmp_path / f"{number}.md", f"# Head\n\nWords of {number}.") for number in range(20)]
    paths += [tmp_path / "nowhere.txt", text(tmp_path / "broken.pdf", "%PDF-1.4 nothing")]
    jobs = [job(path) for path in paths]
    isolated, plain = list(pool.read(jobs)), list(InProcess().read(jobs))
    assert [reading.document for reading in isolated] == [reading.document for reading in plain]
    assert [reading.revision for reading in isolated] == [reading.revision for reading in plain]
    assert [str(reading.error) for reading in isolated] == [str(reading.error) for reading in plain]


def test_a_file_with_the_stored_revision_is_not_parsed(pool: ReaderPool, tmp_path: Path):
    path = text(tmp_path / "a.txt")
    (first,) = pool.read([job(path)])
    (again,) = pool.read([job(path, first.revision)])
    assert again == Reading(first.revision)
    text(path, "Other words.")
    (other,) = pool.read([job(path, first.revision)])
    assert other.document is not None


def test_a_file_that_takes_too_long_fails_alone(stuck: Path, tmp_path: Path):
    with ReaderPool(1) as pool:
        (before,) = pool.read([job(text(tmp_path / "a.txt"))])
        patient, pool.timeout = pool.timeout, 0.5  # of the stuck file alone: no other is late on a slow machine
        (late,) = pool.read([job(stuck)])
        pool.timeout = patient
        (after,) = pool.read([job(text(tmp_path / "b.txt"))])
    assert before.document is not None
    assert after.document is not None
    assert str(late.error).startswith(f"{stuck} took longer than 0.5 s")


@linux
def test_a_file_that_needs_too_much_memory_fails_alone(tmp_path: Path):
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(400 << 20)
    with ReaderPool(1, memory=256) as pool:
        hungry, after = pool.read([job(large), job(text(tmp_path / "b.txt"))])
    assert str(hungry.error).startswith(f"{large} needed more than 256 MiB")
    assert after.document is not None


@linux
def test_a_file_that_crashes_its_reader_fails_alone(stuck: Path, tmp_path: Path):
    with ReaderPool(1) as pool:
        crash = threading.Thread(target=_crash_the_reader_of, args=(pool, stuck))
        crash.start()
        crashed, after = pool.read([job(stuck), job(text(tmp_path / "b.txt"))])
        crash.join()
    assert str(crashed.error).startswith(f"{stuck} crashed its reader (signal 11)")
    assert after.document is not None


def _crash_the_reader_of(pool: ReaderPool, pipe: Path) -> None:
    def opened() -> int:
        with suppress(OSError):  # nobody reads yet
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        return 0

    descriptor = until(opened)
    (busy,) = pool._busy
    os.kill(busy._process.pid, signal.SIGSEGV)
    os.close(descriptor)


@linux
def test_a_file_that_breaks_a_used_process_is_tried_in_a_fresh_one(tmp_path: Path):
    with ReaderPool(1) as pool:
        list(pool.read([job(text(tmp_path / "a.txt"))]))
        (used,) = pool._idle
        used._process.kill()
        (reading,) = pool.read([job(text(tmp_path / "b.txt"))])
    assert reading.document is not None


def test_a_small_run_starts_one_process(tmp_path: Path):
    with ReaderPool(4) as pool:
        for _ in range(3):
            list(pool.read([job(text(tmp_path / "a.txt"))]))
        assert len(pool._idle) == 1


@linux
def test_closing_ends_a_read_in_progress_and_every_process(stuck: Path):
    pool = ReaderPool(2)
    readings = pool.read([job(stuck)] * 2)
    got: list[Reading] = []
    reading = threading.Thread(target=lambda: got.extend(readings))
    reading.start()
    until(lambda: len(pool._busy) == 2)
    mine = [process._process for process in pool._busy]
    pool.close()
    reading.join()
    assert len(got) == 0 or all(one.error for one in got)
    assert all(process.poll() is not None for process in mine)


@linux
def test_processes_end_with_a_run_that_is_killed(stuck: Path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from ingestion.reading import Job\nfrom ingestion.workers import ReaderPool\n"
        "path = Path(sys.argv[1])\nlist(ReaderPool(2).read([Job(path, path.parent, '')] * 2))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(stuck)], cwd=ROOT) as run:
        readers = until(lambda: found if len(found := children(run.pid)) == 2 else None)
        run.kill()
    until(lambda: not any(_alive(pid) for pid in readers))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_a_script_does_is_not_done_again_by_its_readers(tmp_path: Path):
    """`multiprocessing` would import the script anew in each process."""
    script = text(
        tmp_path / "script.py",
        "from pathlib import Path\nfrom ingestion.reading import Job\nfrom ingestion.workers import ReaderPool\n"
        "print('once')\npath = Path(__file__).with_name('a.txt')\n"
        "with ReaderPool(1) as pool:\n    print([bool(r.document) for r in pool.read([Job(path, path.parent, '')])])\n",
    )
    text(tmp_path / "a.txt")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split("\n") == ["once", "[True]", ""]


def test_no_workers_means_none(tmp_path: Path):
    assert isinstance(open_readers(0), InProcess)
    assert isinstance(open_readers(1), ReaderPool)


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, reads = text(tmp_path / "a.txt", "one"), []
    before = Path.read_bytes

    def changing(self: Path) -> bytes:
        data = before(self)
        reads.append(data)
        if len(reads) == 1:
            text(path, "two")
        return data

    monkeypatch.setattr(Path, "read_bytes", changing)
    reading = carry_out(job(path))
    assert reading.document is not None
    assert [block.text for block in reading.document.blocks] == ["two"]
    assert reading.revision == carry_out(job(path)).revision


def test_a_file_that_never_rests_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, before = text(tmp_path / "a.txt", ""), Path.read_bytes

    def growing(self: Path) -> bytes:
        data = before(self)
        self.write_bytes(data + b"more ")
        return data

    monkeypatch.setattr(Path, "read_bytes", growing)
    reading = carry_out(job(path))
    assert f"changed while it was read, {ATTEMPTS} times" in str(reading.error)
    assert reading.document is None


def test_a_document_crosses_unchanged():
    picture = Picture(b"bytes", "image/png", 1, 2, "alt", section=("a",), page=3)
    document = ParsedDocument("t", "m", (Block("text"), picture), {"year": 1}, (Omission("x", "y"),), (Path("p"),))
    reading = Reading("r", (Path("l"),), document, SourceError("given", "allowed", "advice"))
    back = frames.load(frames.dump(reading))
    assert (back.revision, back.links, back.document) == (reading.revision, reading.links, document)
    assert (str(back.error), back.error.advice) == (str(reading.error), "advice")


class _Evil:
    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self._reduced = (call, arguments)

    def __reduce__(self) -> Any:
        return self._reduced


@pytest.mark.parametrize(
    "value",
    [
        _Evil(os.system, "true"),
        _Evil(eval, "1"),
        _Evil(subprocess.Popen, "true"),
        _Evil(carry_out, 1),
        _Evil(ReaderPool),
    ],
    ids=["system", "eval", "Popen", "a function of ours", "a class of ours that does things"],
)
def test_an_answer_that_is_more_than_data_is_refused(value: Any):
    with pytest.raises(frames.Unreadable, match="is not data"):
        frames.load(pickle.dumps(value))


def test_the_answer_that_is_due_is_let_in_however_large():
    room, entered = _Room(10), []

    def enter(turn: int, length: int) -> None:
        room.enter(turn, length)
        entered.append(turn)

    later = [threading.Thread(target=enter, args=(turn, 8)) for turn in (1, 2)]
    for thread in later:
        thread.start()
    until(lambda: entered)
    enter(0, 100)
    assert len(entered) == 2
    room.leave(100)
    room.leave(8)
    for thread in later:
        thread.join()
    assert sorted(entered) == [0, 1, 2]
