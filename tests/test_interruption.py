"""What is interrupted, at whatever moment and by whatever, is completed by the next run as if nothing had been."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import ImageNode
from PIL import Image

from rag.corpus import Corpus
from rag.errors import StoreError, StoreUnreachable
from tests.ingest_server import Commands
from tests.patience import LONG, until
from tests.test_store_rest import KEY, Rest, server  # noqa: F401

KILLS = 10
"""For a first ingestion, and again for one that updates and removes."""


def write(folder: Path, documents: range, salt: str) -> None:
    """Documents of some thirty passages, every third with a picture of its own."""
    for number in documents:
        draw = random.Random(f"{salt} {number}")
        words = "\n\n".join(" ".join(f"w{draw.randrange(5000)}" for _ in range(40)) for _ in range(30))
        if number % 3 == 0:
            buffer = BytesIO()
            Image.new("RGB", (64, 64), tuple(draw.randbytes(3))).save(buffer, "PNG")
            (folder / f"{number}.png").write_bytes(buffer.getvalue())
            words += f"\n\n![picture {number}]({number}.png)\n"
        (folder / f"{number}.md").write_text(f"# Document {number}\n\n{words}", encoding="utf-8")


def state(corpus: Path) -> dict[str, Any]:
    """Every point: its vectors, its links and its payload, less the time at which it was made."""
    with Corpus.open(corpus, create=False) as opened:
        return {node.node_id: _told(node, corpus) for node in opened.store.get_nodes()}


def _told(node: Any, corpus: Path) -> Any:
    told = node.model_dump(exclude={"metadata", "image_path", "image_url"})
    told["metadata"] = {key: value for key, value in node.metadata.items() if key != "ingested_at"}
    told["metadata"].pop("image_uri", None)
    if isinstance(node, ImageNode):
        picture = Path(node.image_path or "")
        told["picture"] = (picture.relative_to(corpus).as_posix(), picture.read_bytes())
    return told


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    if not hasattr(os, "fork"):
        pytest.skip("the platform cannot fork")
    opened = Commands()
    yield opened
    opened.close()


def ingest(commands: Commands, folder: Path, corpus: Path) -> int:
    """Start a run. It waits for the lock: where a run is killed while it starts a process, that process holds a copy
    of the lock until it is the other program."""
    return commands.start(
        *("ingest", folder, "--corpus", corpus, "--encoder", "fake", "--remove-missing", "--wait", LONG)
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_after_a_kill_at_any_moment_the_next_run_ends_in_the_state_of_an_uninterrupted_one(
    commands: Commands, tmp_path: Path
):
    folder, empty, filled = tmp_path / "in", tmp_path / "empty", tmp_path / "filled"
    folder.mkdir()
    empty.mkdir()
    write(folder, range(16), "before")
    started = time.monotonic()
    assert commands.wait(ingest(commands, folder, filled)) == 0
    _kill_and_compare(commands, folder, empty, filled, time.monotonic() - started, seed=1)
    write(folder, range(8, 24), "after")
    for number in range(4):
        (folder / f"{number}.md").unlink()
    whole = tmp_path / "whole"
    shutil.copytree(filled, whole, copy_function=_sparse)
    started = time.monotonic()
    assert commands.wait(ingest(commands, folder, whole)) == 0
    _kill_and_compare(commands, folder, filled, whole, time.monotonic() - started, seed=2)


def _kill_and_compare(commands: Commands, folder: Path, start: Path, whole: Path, seconds: float, seed: int) -> None:
    """Kill a run that starts from a copy of `start`, at KILLS moments spread over the `seconds` that it takes, and run
    it again each time. A run that ended before it was killed does not count: no machine is equally quick all the time.
    """
    expected, draw, corpus = state(whole), random.Random(seed), start.parent / "copy"
    killed = 0
    for _ in range(5 * KILLS):
        shutil.copytree(start, corpus, copy_function=_sparse)
        run = ingest(commands, folder, corpus)
        delay = seconds * (killed + draw.random()) / KILLS
        time.sleep(delay)
        os.kill(run, signal.SIGKILL)
        if commands.wait(run) == -signal.SIGKILL:
            killed += 1
            assert commands.wait(ingest(commands, folder, corpus)) == 0
            assert state(corpus) == expected, f"killed after {delay:.2f} s"
        else:
            seconds *= 0.8
        shutil.rmtree(corpus)
        if killed == KILLS:
            return
    pytest.fail(f"only {killed} of {KILLS} kills met a run at work")


def _sparse(source: str, goal: str) -> None:
    """Copy a file with its holes: an empty collection is 200 MB of them."""
    with open(source, "rb") as read, open(goal, "wb") as written:
        while block := read.read(1 << 20):
            if block.count(0) == len(block):
                written.seek(len(block), os.SEEK_CUR)
            else:
                written.write(block)
        written.truncate(written.tell())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", range(12), "words")
    return tmp_path / "in"


@pytest.fixture
def whole(folder: Path, tmp_path: Path) -> dict[str, Any]:
    """What an uninterrupted run makes of the folder."""
    with Corpus.open(tmp_path / "whole", encoder="fake") as corpus:
        corpus.ingest(folder)
    return state(tmp_path / "whole")


def test_an_interrupted_run_tells_what_it_did_and_the_next_one_goes_on(folder: Path, whole: Any, tmp_path: Path):
    reports: list[Any] = []

    def interrupt(event: Any) -> None:
        if event.done == 5:
            raise KeyboardInterrupt

    with Corpus.open(tmp_path / "c", encoder="fake") as corpus:
        with pytest.raises(KeyboardInterrupt):
            corpus.ingest(folder, progress=interrupt, stopped=reports.append)
        (report,) = reports
        assert report.stopped == "interrupted"
        assert report.corpus
        held = len(corpus.store.sources())
        assert 5 <= report.sources.added <= held < 12
        after = corpus.ingest(folder)
        assert after.sources.unchanged >= report.sources.added
        assert after.sources.added + after.sources.updated + after.sources.unchanged == 12
    assert state(tmp_path / "c") == whole


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_status_1(commands: Commands, tmp_path: Path, wanted: int):
    folder, status = tmp_path / "in", 0
    folder.mkdir()
    write(folder, range(150), "words")
    for attempt in range(10):
        corpus = tmp_path / f"c{attempt}"
        run = ingest(commands, folder, corpus)
        until((corpus / "pictures").is_dir)
        os.kill(run, wanted)
        if status := commands.wait(run):  # a run that had ended before the signal came does not count
            break
    assert status == 1


@pytest.mark.parametrize("failing", ["picture", "engine"])
def test_a_full_disk_ends_the_run_with_a_report_and_loses_nothing(
    folder: Path, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
):
    calls: list[Any] = []

    def full(*arguments: Any) -> Any:
        calls.append(arguments)
        if failing == "engine":
            usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]
            return usage(1 << 40, 0, 0 if len(calls) > 2 else 1 << 40)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(*arguments)

    replace, reports = os.replace, []
    with Corpus.open(tmp_path / "c", encoder="fake") as corpus:
        with monkeypatch.context() as patch:
            patch.setattr(*((os, "replace", full) if failing == "picture" else (shutil, "disk_usage", full)))
            with pytest.raises(StoreError, match="make room"):
                corpus.ingest(folder, stopped=reports.append)
        assert "make room" in reports[0].stopped
        assert len(corpus.store.sources()) >= reports[0].sources.added
        corpus.ingest(folder)
    assert state(tmp_path / "c") == whole


@pytest.fixture
def away(server: tuple[str, Rest], monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    """A server that can be sent away for a number of requests: it closes the connection without a word."""
    url, routes = server
    answer, left = routes.answer, [0]

    def flaky(method: str, path: str, body: Any) -> Any:
        if method == "PUT" and path.endswith("/points"):
            left[0] -= 1
            if left[0] >= 0:
                raise ConnectionAbortedError
        return answer(method, path, body)

    monkeypatch.setattr(routes, "answer", flaky)
    monkeypatch.setattr("ingestion.patience.DELAYS", (0.01, 0.02, 0.04))
    monkeypatch.setenv("TRIPTYCH_QDRANT_API_KEY", KEY)
    return url, left


pytestmark = [
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
]


@pytest.mark.parametrize(("requests", "returns"), [(3, True), (1000, False)], ids=["for a moment", "for good"])
def test_a_server_that_goes_away_is_waited_for_but_not_for_ever(
    away: Any, folder: Path, whole: Any, tmp_path: Path, requests: int, returns: bool
):
    url, left = away
    reports: list[Any] = []
    with Corpus.open(tmp_path / "c", encoder="fake", qdrant=url) as corpus:
        left[0] = requests
        if returns:
            assert corpus.ingest(folder).sources.added == 12
        else:
            with pytest.raises(StoreUnreachable):
                corpus.ingest(folder, stopped=reports.append)
            assert reports[0].sources.added == 0
            left[0] = 0
            assert corpus.ingest(folder).sources.added == 12
        assert {node.node_id for node in corpus.store.get_nodes()} == set(whole)
