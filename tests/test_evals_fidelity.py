"""What the readers keep is compared with what is known, whatever a file does to its reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from evals.fidelity import Entry, Outcome, entries, measure, truths
from evals.reading import Readers
from evals.words import common_share, document_text, markdown_text, words
from ingestion.document import Block, ParsedDocument, Picture
from rag.cli import cli
from rag.errors import InputError


def test_words_are_runs_of_letters_and_digits_without_case():
    assert words("The Ｒain, the_rain: 12,5 mm") == {"the": 2, "rain": 2, "12": 1, "5": 1, "mm": 1}


def test_a_word_counts_as_often_as_both_texts_have_it():
    assert common_share("rain rain rain snow", "Rain! And rain.") == 0.5
    assert common_share("<!-- -->"[:0], "rain") is None


def test_markdown_is_compared_as_it_is_read():
    shown = markdown_text('[a link](http://x.org/y_(z)) ![alt](p.png "t") <!-- image --> a\\_b &amp; <b>c</b> 1 < 2')
    assert words(shown) == words("a link alt a b c 1 2")


def test_words_of_a_picture_count_once_where_a_block_has_them_too():
    picture = Picture(b"", "image/png", 1, 1, alt="a lamp", caption="Figure 1: Lamps.")
    document = ParsedDocument("Title", "text/plain", (picture, Block("Figure 1:\nLamps.")))
    assert words(document_text(document)) == words("Title Figure 1 Lamps a lamp")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "notes" / "sources").mkdir(parents=True)
    (tmp_path / "notes" / "sources" / "a.md").write_text("# Rain\n\nIt rained.\n\n![a drop](drop.png)\n")
    (tmp_path / "notes" / "sources" / "b.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "notes" / "sources" / "c.xyz").write_text("?")
    Image.linear_gradient("L").save(tmp_path / "notes" / "sources" / "drop.png")
    truth = tmp_path / "truth" / "notes"
    truth.mkdir(parents=True)
    (truth / "a.md").write_text("# Rain\n\nIt rained. It snowed.\n\na drop\n")
    (tmp_path / "manifest.csv").write_text(
        "path,type,pictures,note\n"
        "notes/sources/a.md,md,2,\n"
        "notes/sources/b.pdf,pdf,,cut off\n"
        "notes/sources/c.xyz,xyz,,\n"
    )
    return tmp_path


def test_the_table_says_what_was_kept_of_each_format(files: Path):
    done = CliRunner().invoke(
        cli, ["eval", "ingestion", str(files / "manifest.csv"), "--groundtruth", str(files / "truth"), "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    formats = told["formats"]
    assert formats["md"]["pictures"] == {"found": 1, "expected": 2, "junk": 0, "lost": 0, "missing": 1}
    assert formats["md"]["words"] == {"files": 1, "median": 0.7143, "p10": 0.7143}
    assert (formats["pdf"]["failed"], formats["pdf"]["unforeseen"]) == (1, 0)
    assert (formats["xyz"]["failed"], formats["xyz"]["unforeseen"]) == (1, 1)
    assert [file["file"] for file in told["files"]] == [entry.name for entry in entries(files / "manifest.csv")]


def test_every_file_that_needs_a_look_has_a_line(files: Path):
    done = CliRunner().invoke(
        cli, ["eval", "ingestion", str(files / "manifest.csv"), "--groundtruth", str(files / "truth")]
    )
    needing = done.stdout.split("\n\n")[1].splitlines()
    assert [line.split(":")[0] for line in needing] == [
        *("failed", "failed, unforeseen", "words 0.714", "pictures 1 of 2, 0 junk, 0 lost")
    ]


def test_a_folder_is_its_own_manifest(files: Path):
    assert [(entry.kind, entry.pictures) for entry in entries(files / "notes")] == [
        *(("md", None), ("pdf", None), ("xyz", None), ("png", None))
    ]


@pytest.mark.parametrize("text", ["name\na.md\n", "path,pictures\na.md,two\n"])
def test_a_manifest_that_says_nothing_is_refused(tmp_path: Path, text: str):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError):
        entries(tmp_path / "m.csv")


def test_ground_truth_is_that_of_the_same_name_in_a_folder_of_the_same_name(tmp_path: Path):
    for name in ("pdf/x.md", "doc/x.pdf.md", "ocr/one/y.one.md", "ocr/two/y.two.md", "z.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    find = truths(tmp_path)

    def found(name: str) -> list[str]:
        paths = find(Entry(Path(name), name, "pdf"))
        return [path.relative_to(tmp_path).as_posix() for path in paths]

    assert found("pdf/sources/x.pdf") == ["pdf/x.md"]
    assert found("doc/x.pdf") == ["doc/x.pdf.md"]
    assert found("ocr/y.pdf") == ["ocr/one/y.one.md", "ocr/two/y.two.md"]
    assert found("anywhere/z.pdf") == ["z.md"]
    assert found("tiff/x.tif") == []


def test_a_reader_that_never_ends_fails_its_file_and_no_other(tmp_path: Path):
    (tmp_path / "a.txt").write_text("rain " * 3_000_000)
    (tmp_path / "b.txt").write_text("rain")
    slow, quick = measure(entries(tmp_path), seconds=0.001).outcomes[0], measure(entries(tmp_path)).outcomes[1]
    assert slow.error == "not read within 0.001 seconds"
    assert not quick.error


def test_a_reader_that_dies_fails_its_file_and_no_other(tmp_path: Path):
    (tmp_path / "a.txt").write_text("rain")
    with Readers(60.0) as readers:
        assert not isinstance(readers.read(tmp_path / "a.txt", None), str)
        readers._process.kill()
        assert "ended with status -9" in str(readers.read(tmp_path / "a.txt", None))
        assert not isinstance(readers.read(tmp_path / "a.txt", None), str)


def test_a_failure_that_the_manifest_foresaw_agrees_with_it():
    entry = Entry(Path("a"), "a", "pdf", note="encrypted")
    assert Outcome(entry, error="encrypted").agrees
    assert not Outcome(Entry(Path("a"), "a", "pdf"), error="encrypted").agrees
