"""Temporary folders are gone at the end of their run, or after a kill with the next one; a living owner keeps its
own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ingestion.rooms import PREFIX, cleared, rooms
from rag.errors import InputError
from tests.ingest_server import Commands
from tests.web_site import served

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, of this process and of those it starts."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setenv("TMPDIR", str(place))
    return place


def test_rooms_are_apart_and_gone_at_the_end(folder: Path):
    with rooms() as room:
        one, other = room(), room()
        assert one != other
        (one / "a").write_text("x")
        assert len(list(folder.iterdir())) == 1
    assert not list(folder.iterdir())


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_holds_is_not(folder: Path):
    held = "with rooms() as room:\n print(room(), flush=True)\n time.sleep(60)"
    code = f"import time\nfrom ingestion.rooms import rooms\n{held}"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        killed, living = (Path(process.stdout.readline().strip()) for process in processes if process.stdout)
        assert cleared() == 0
        os.kill(processes[0].pid, signal.SIGKILL)
        processes[0].wait()
        with rooms() as room:
            mine = room()
            assert killed.is_dir()
            assert cleared() == 1
            assert (killed.exists(), living.is_dir(), mine.is_dir()) == (False, True, True)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def test_folders_of_others_are_left_alone(folder: Path, tmp_path: Path):
    (folder / f"{PREFIX}without-a-lock").mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "owned").write_text("")
    (folder / f"{PREFIX}link").symlink_to(tmp_path / "precious")
    (folder / f"{PREFIX}file").write_text("")
    assert cleared() == 0
    assert len(list(folder.iterdir())) == 3
    assert (tmp_path / "precious" / "owned").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(InputError, match="TMPDIR"), rooms():
        pass


@pytest.mark.slow
def test_the_next_ingest_clears_what_a_killed_one_had_fetched_and_unpacked(folder: Path, tmp_path: Path):
    reached = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        reached.set()
        request.rfile.read(1)

    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.txt", "It rained.")
    (tmp_path / "b.txt").write_text("It stopped.")
    ingest = ("ingest", "--corpus", tmp_path / "corpus", "--archives", "--allow-private")
    commands = Commands()
    try:
        with served() as site:
            site.pages["/a.png"] = hang
            run = commands.start(*ingest, tmp_path / "set.zip", site.url("/a.png"))
            assert reached.wait(60)
            os.kill(run, signal.SIGKILL)
            assert commands.wait(run) == -signal.SIGKILL
        assert [path.name for path in folder.glob(f"{PREFIX}*/*/a.txt")] == ["a.txt"]
        assert commands.wait(commands.start(*ingest, tmp_path / "b.txt")) == 0
        assert not list(folder.glob(f"{PREFIX}*"))
    finally:
        commands.close()
