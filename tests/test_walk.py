"""Which files an ingestion is about, and what is said of those that it leaves out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ingestion.lock import one_at_a_time
from ingestion.walk import survey
from rag.corpus import Corpus
from rag.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "b.txt", "notes/c.md", "notes/d.txt", "build/e.md", "build/deep/f.md"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("words")
    return tmp_path / "in"


def found(folder: Path, **options: Any) -> set[str]:
    return {file.path.relative_to(folder).as_posix() for file in survey([folder], **options).files}


def skipped(folder: Path, **options: Any) -> dict[str, str]:
    skips = survey([folder], **options).skips
    return {Path(skip.source).relative_to(folder).as_posix(): skip.reason for skip in skips}


def test_what_a_pattern_excludes_is_left_out_and_counted(folder: Path):
    assert found(folder, patterns=["build/", "*.txt"]) == {"a.md", "notes/c.md"}
    assert skipped(folder, patterns=["build/", "*.txt"]) == dict.fromkeys(
        ["build", "b.txt", "notes/d.txt"], "excluded by --exclude"
    )


def test_only_what_an_include_names_is_read(folder: Path):
    assert found(folder, include=["*.txt"]) == {"b.txt", "notes/d.txt"}
    assert found(folder, include=["*.txt"], patterns=["notes/"]) == {"b.txt"}
    assert skipped(folder, include=["*.txt"])["a.md"] == "not among --include"


def test_an_ignore_file_holds_below_its_folder_and_a_deeper_one_outweighs_it(folder: Path):
    (folder / ".triptychignore").write_text("# generated\nbuild/\n*.txt\n")
    (folder / "notes/.triptychignore").write_text("!d.txt\nc.md\n")
    assert found(folder) == {"a.md", "notes/d.txt"}
    assert skipped(folder)["notes/c.md"] == f"excluded by {folder / 'notes/.triptychignore'}"


def test_a_file_that_was_named_is_read_whatever_the_patterns_say(folder: Path):
    assert len(survey([folder / "b.txt"], patterns=["*.txt"]).files) == 1


AS_GIT = [  # what `git ls-files -o` lists of the same folder under these patterns
    (["*", "!*/", "!*.txt"], {"b.txt", "notes/d.txt"}),
    (["*", "!*.txt"], {"b.txt"}),
    (["build/", "!build/e.md"], {"a.md", "b.txt", "notes/c.md", "notes/d.txt"}),
    (["build/*", "!build/e.md"], {"a.md", "b.txt", "notes/c.md", "notes/d.txt", "build/e.md"}),
    (["build/**", "!build/deep/"], {"a.md", "b.txt", "notes/c.md", "notes/d.txt"}),
    (["/*.md", "!/a.md"], {"a.md", "b.txt", "notes/c.md", "notes/d.txt", "build/e.md", "build/deep/f.md"}),
    (["*.md", "!build"], {"b.txt", "notes/d.txt"}),
    (["**/deep", "notes"], {"a.md", "b.txt", "build/e.md"}),
]


@pytest.mark.parametrize(("patterns", "kept"), AS_GIT)
@pytest.mark.parametrize("where", ["option", "file"])
def test_patterns_mean_what_they_mean_to_git(folder: Path, patterns: list[str], kept: set[str], where: str):
    if where == "file":
        (folder / ".triptychignore").write_text("\n".join(patterns))
    assert found(folder, patterns=patterns if where == "option" else []) == kept


@pytest.fixture
def strangers():
    """A folder of which parts may be closed, and the rights of somebody who is not the superuser."""
    with TemporaryDirectory() as name:
        folder, me = Path(name).resolve(), os.geteuid()
        folder.chmod(0o755)
        for path in ("open.md", "locked/a.md", "locked/sub/b.md", "unreached/c.md", "unreached/sub/d.md"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text("words")
        (folder / "locked").chmod(0)
        (folder / "unreached").chmod(0o444)
        if me == 0:
            os.seteuid(65534)
        yield folder
        os.seteuid(me)
        (folder / "locked").chmod(0o755)
        (folder / "unreached").chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no rights to take away")
def test_what_may_not_be_entered_is_failed_and_the_rest_is_found(strangers: Path):
    result = survey([strangers])
    assert [file.path.name for file in result.files] == ["open.md"]
    assert {Path(failure.source).relative_to(strangers).as_posix() for failure in result.failures} == {
        *("locked", "unreached/c.md", "unreached/sub")
    }
    assert all("Permission denied" in failure.message for failure in result.failures)
    assert not result.skips


def test_a_pattern_that_is_none_is_refused(folder: Path):
    with pytest.raises(InputError, match=r"a pattern of --exclude.*patterns as in \.gitignore"):
        survey([folder], patterns=["!"])


def test_loops_of_links_end(folder: Path):
    (folder / "notes/loop").symlink_to(folder, target_is_directory=True)
    (folder / "self.md").symlink_to("self.md")
    assert len(found(folder)) == 6
    assert skipped(folder)["self.md"] == "a link that leads out of the folder, or nowhere"


@pytest.mark.parametrize("made", ["by an ingestion", "by its engine"])
def test_a_corpus_inside_a_folder_is_left_out_and_counted(folder: Path, made: str):
    if made == "by an ingestion":
        with one_at_a_time(folder / "corpus"):
            (folder / "corpus/pictures").mkdir()
            (folder / "corpus/pictures/x.md").write_text("words")
    else:
        Corpus.open(folder / "corpus", encoder="fake").close()
        (folder / "corpus/x.md").write_text("words")
    assert len(found(folder)) == 6
    assert skipped(folder) == {"corpus": "a corpus of Triptych"}


def test_a_short_text_is_a_caption_beside_a_picture_of_its_name_up_to_any_dot(folder: Path):
    for name in ("x.png", "y.front.JPG", "y.txt", "y.front.txt", "x.txt", "x.json", "xx.txt", "y.front.side.txt"):
        (folder / name).write_text("words")
    parts = {Path(part.source).name: part.reason for part in survey([folder]).parts}
    pictures = {"x.txt": "x.png", "x.json": "x.png", "y.txt": "y.front.JPG", "y.front.txt": "y.front.JPG"}
    assert parts == {name: f"the caption of {picture}" for name, picture in pictures.items()}


def test_a_folder_is_listed_as_often_for_many_files_as_for_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    listings: list[str] = []

    def counted(list_folder: Any) -> Any:
        def listing(path: Any = ".") -> Any:
            listings.append(os.fspath(path))
            return list_folder(path)

        return listing

    monkeypatch.setattr(os, "scandir", counted(os.scandir))
    monkeypatch.setattr(os, "listdir", counted(os.listdir))
    counts = []
    for files in (2, 60):
        for number in range(files):
            (tmp_path / f"{number}.txt").write_text("words")
        listings.clear()
        assert len(survey([tmp_path]).files) == files
        counts.append(len(listings))
    assert counts[0] == counts[1] > 0
