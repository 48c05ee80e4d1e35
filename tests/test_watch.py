"""A folder that is followed: what changes in it is ingested without being asked."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from ingestion import watch
from ingestion.watch import follow
from rag.corpus import Corpus
from tests.patience import until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("watchfiles")
    monkeypatch.setattr(watch, "QUIET", 50)
    monkeypatch.setattr(watch, "AGAIN", 200)


class Following:
    """A folder followed in a thread; each round is one ingestion, as the command makes it."""

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.folder, self.corpus, self.rounds = folder, corpus, 0
        self.sources: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=follow, args=([folder], self.round), kwargs=self._rest())
        self._thread.start()

    def _rest(self) -> dict[str, object]:
        return {"ignore": self.corpus, "stop": self._stop}

    def round(self) -> bool:
        with Corpus.open(self.corpus, encoder="fake") as corpus:
            report = corpus.ingest(self.folder, remove_missing=True, allow_empty=True)
            nodes = corpus.store.get_nodes(with_vectors=False)
            self.sources = {Path(node.metadata["source"]).name: node.get_content() for node in nodes}
        self.rounds += 1
        return bool(report.failures)

    def until(self, **sources: str) -> None:
        until(lambda: self.sources == {f"{name}.txt": words for name, words in sources.items()})

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def following(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("one")
    opened = Following(tmp_path / "in", tmp_path / "in/corpus")
    yield opened
    opened.stop()


def test_what_is_added_changed_and_removed_is_followed(following: Following):
    following.until(a="one")
    (following.folder / "b.txt").write_text("two")
    following.until(a="one", b="two")
    (following.folder / "a.txt").write_text("three")
    following.until(a="three", b="two")
    (following.folder / "b.txt").unlink()
    following.until(a="three")


def test_what_a_round_writes_starts_no_other(following: Following):
    following.until(a="one")
    until(lambda: following.rounds >= 2)  # the second one sees what changed before the watching began
    time.sleep(1)
    assert following.rounds == 2


def test_an_interruption_between_rounds_ends_it_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def interrupted(*_roots: object, raise_interrupt: bool, **_rest: object) -> object:
        yield set()
        if raise_interrupt:
            raise KeyboardInterrupt
        logging.getLogger("watchfiles").warning("stopping")

    monkeypatch.setattr("watchfiles.watch", interrupted)
    rounds: list[int] = []
    follow([tmp_path], lambda: bool(rounds.append(1)), ignore=tmp_path / "corpus")
    assert (len(rounds), caplog.messages) == (2, [])


def test_an_emptied_folder_is_followed_on(following: Following):
    following.until(a="one")
    (following.folder / "a.txt").unlink()
    following.until()
    (following.folder / "c.txt").write_text("four")
    following.until(c="four")
