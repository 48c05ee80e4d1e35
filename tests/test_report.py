"""A report is one file that needs nothing else; what comes from the data stays text; it opens without an error."""

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from PIL import Image

from evals.compare import compare
from evals.datasets import load
from evals.documents import Documents, thumbnail
from evals.plots import bars, histogram, intervals
from evals.record import RecordedQuery, RunRecord
from evals.report import command, render, write
from rag.cli import cli
from rag.errors import InputError

HOSTILE = "<script>alert('x')</script> & \"quoted\" {{ 7 * 7 }}"
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Tags(HTMLParser):
    """Counts what a page holds and notes tags that do not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.wrong, self.attributes, self.texts = [], [], [], []
        self.feed(page)
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def folder(tmp_path):
    """A dataset of three pictures and a passage, asked in words and by a picture."""
    root = tmp_path / "colours"
    (root / "images").mkdir(parents=True)
    rows = ['{"id": "t:1", "kind": "text", "text": "<b>Red</b> is a colour of long waves."}']
    for name, colour in {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}.items():
        Image.new("RGB", (640, 320), colour).save(root / "images" / f"{name}.png")
        rows.append(
            f'{{"id": "p:{name}", "kind": "image", "image": "images/{name}.png", "caption": "a {name} square"}}'
        )
    (root / "corpus.jsonl").write_text("\n".join(rows))
    queries = [f'{{"id": "q{number}", "type": "words", "query": "colour {number}"}}' for number in range(11)]
    queries += ['{"id": "q-image", "type": "picture", "query": "", "image": "images/red.png"}']
    (root / "queries.jsonl").write_text("\n".join(queries))
    ids = [f"q{number}" for number in range(11)] + ["q-image"]
    (root / "qrels.tsv").write_text("".join(f"{query}\t0\tp:red\t1\n" for query in ids))
    return root


@pytest.fixture
def records(folder):
    """Two runs; the second loses two queries, one of which is hostile text and one a picture, and gains one."""
    ids = [f"q{number}" for number in range(11)] + ["q-image"]
    asked = [RecordedQuery(id_, f"colour {id_[1:]}", type="words") for id_ in ids[:-1]]
    asked[0] = replace(asked[0], text=HOSTILE)
    asked.append(RecordedQuery("q-image", image="images/red.png", type="picture"))

    def run(lost, weights):
        scores = {id_: {"nDCG@10": 0.0 if id_ in lost else 1.0, "R@10": 1.0} for id_ in ids}
        mean = sum(row["nDCG@10"] for row in scores.values()) / len(ids)
        return RunRecord(
            dataset="colours",
            digest=load(folder).digest,
            folder=str(folder),
            task="default",
            queries=tuple(asked),
            qrels={id_: {"p:red": 1} for id_ in ids},
            ranking={
                id_: (("p:green", 1.0), ("t:1", 0.5)) if id_ in lost else (("p:red", 1.0), ("p:gone", 0.2))
                for id_ in ids
            },
            scores=scores,
            metrics={"nDCG@10": mean, "R@10": 1.0},
            slices={"type=words": {"nDCG@10": mean, "queries": 11}, "type=picture": {"nDCG@10": mean, "queries": 1}},
            settings={
                "encoder": "bundled (0123456789ab, 384 dimensions)",
                "fusion": "rrf(60)",
                "weights": weights,
                "k": 50,
                "depth": 100,
                "sample": 12,
                "seed": 3,
                "measures": ["nDCG@10", "R@10"],
                "versions": {"x": "1"},
            },
            seconds={"index": 1.5, "search": 0.6, "per_query": 0.05, "p50": 0.04, "p95": 0.09},
            index={"points": 4},
            created_at="2026-11-21T09:00:00+00:00",
        )

    return {"base": run({"q3"}, {}), "no image & co": run({"q0", "q-image"}, {"image": 0.0, "lexical": 1.0})}


@pytest.fixture
def page(records, folder):
    return render(records, compare(records), Documents.read(folder, "default", records["base"].digest))


def test_a_report_is_sound_html_without_any_request(page):
    tags = Tags(page)
    assert tags.wrong == []
    targets = [value for _, name, value in tags.attributes if name in ("src", "href", "action", "data", "srcset")]
    assert targets
    assert all(value.startswith(("data:", "#")) for value in targets)
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://", page)


def test_what_comes_from_the_data_stays_text(page):
    assert HOSTILE not in page
    assert page.count("<script") == 1
    texts = "".join(Tags(page).texts)
    assert HOSTILE in texts
    assert "<b>Red</b> is a colour" in texts
    assert "no image & co" in texts


def test_a_report_shows_figures_slices_speed_queries_and_how_to_repeat(page):
    tags = Tags(page)
    ids = {value for _, name, value in tags.attributes if name == "id"}
    assert {"summary", "slices", "differences", "changed", "speed", "queries", "repeat"} <= ids
    anchors = {value[1:] for _, name, value in tags.attributes if name == "href" and value.startswith("#")}
    assert anchors <= ids
    texts = " ".join("".join(tags.texts).split())
    assert "does not differ significantly from base by nDCG@10" in texts
    assert "1 gained" in texts
    assert "2 lost" in texts
    assert "40.0 ms" in texts
    assert "type=words (11)" in texts
    assert "--weights image=0,lexical=1" in texts


def test_every_picture_and_plot_has_words(page):
    tags = Tags(page)
    pictures = [item for item in tags.attributes if item[0] == "img" and item[1] == "src"]
    words = [value for tag, name, value in tags.attributes if tag == "img" and name == "alt"]
    assert len(words) == len(pictures) > 0
    assert all(words)
    labels = [value for tag, name, value in tags.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == 4


def test_without_the_dataset_the_report_shows_ids_and_says_why(records, tmp_path):
    gone = {name: replace(record, folder=str(tmp_path / "gone")) for name, record in records.items()}
    written = write(gone, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not written.documents
    assert "gone is no dataset folder" in written.note
    assert "Texts and pictures of the documents are not shown" in page
    assert "p:green" in page
    assert "<img" not in page
    with_folder = write(gone, tmp_path / "report.html", folder=records["base"].folder)
    assert with_folder.documents
    assert with_folder.note == ""


def test_a_dataset_that_has_changed_since_the_runs_is_told(records, folder, tmp_path):
    Image.new("RGB", (8, 8), "white").save(folder / "images" / "blue.png")
    written = write(records, tmp_path / "report.html")
    assert written.documents
    assert "has changed since the runs" in written.note
    assert "has changed since the runs" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_one_run_alone_has_a_report_without_differences(records, folder):
    page = render(
        {"base": records["base"]},
        compare({"base": records["base"]}),
        Documents.read(folder, "default", records["base"].digest),
    )
    assert Tags(page).wrong == []
    assert 'id="changed"' not in page
    assert 'id="queries"' in page


def test_a_thumbnail_is_a_small_jpeg_and_empty_where_there_is_no_picture(folder, tmp_path):
    import base64
    from io import BytesIO

    url = thumbnail(folder / "images" / "red.png")
    assert url.startswith("data:image/jpeg;base64,")
    with Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) as small:
        assert small.size == (160, 80)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert thumbnail(tmp_path / "broken.png") == ""
    assert thumbnail(tmp_path / "none.png") == ""


def test_plots_escape_names_and_draw_what_is_given():
    drawn = bars({"<g>": {"a<b": 0.5, "c": 1.0}}, {"a<b": 0, "c": 1}, what="x")
    assert "<g>" not in drawn
    assert "a&lt;b" in drawn
    widths = [
        float(width) for width in re.findall(r'<rect class="bar run\d" x="230" y="[\d.]+" width="([\d.]+)"', drawn)
    ]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)


def test_a_histogram_counts_every_query_that_changed_once(records):
    difference = compare(records).of("no image & co", "nDCG@10")
    drawn = histogram(difference)
    counts = [int(count) for count in re.findall(r'class="count"[^>]*>(\d+)<', drawn)]
    assert sum(counts) == difference.wins + difference.losses == 3
    assert "9 are equal" in drawn


def test_an_interval_is_drawn_from_its_low_to_its_high_end(records):
    differences = compare(records).differences
    ends = re.findall(
        r'<line class="whisker run1" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"',
        intervals(differences, {"no image & co": 1}),
    )
    assert len(ends) == len(differences)
    assert all(float(low) <= float(high) for low, high in ends)


def test_the_command_of_a_report_is_one_that_the_command_line_takes(records):
    told = shlex.split(command(records["no image & co"], "no image"))
    assert told[:3] == ["triptych", "eval", "run"]
    assert told[told.index("--record") + 1] == "no image.json"
    run = cli.commands["eval"].commands["run"]
    given = run.make_context("run", told[3:]).params
    wanted = {"encoder": "bundled", "fusion": "rrf(60)", "k": 50, "depth": 100, "sample": 12, "seed": 3}
    assert wanted.items() <= given.items()
    assert given["weights"] == {"image": 0.0, "lexical": 1.0}
    assert given["measures"] == "nDCG@10,R@10"
    theirs = replace(records["base"], settings={"run": "bm25.run"}, slices={"chapter=1": {"nDCG@10": 1.0}})
    told = shlex.split(command(theirs, "bm25"))
    given = cli.commands["eval"].commands["score"].make_context("score", told[3:]).params
    assert given["run_file"].name == "bm25.run"
    assert given["slices"] == ("chapter",)


def test_the_command_line_writes_a_report(records, tmp_path):
    files = []
    for name, record in records.items():
        files.append(str(tmp_path / f"{name}.json"))
        record.save(files[-1])
    out = tmp_path / "report.html"
    done = CliRunner().invoke(cli, ["eval", "report", *files, "--out", str(out)])
    assert done.exit_code == 0
    assert "2 runs, 12 queries" in done.output
    assert out.stat().st_size > 10_000
    refused = CliRunner().invoke(cli, ["eval", "report", *files, "--out", str(tmp_path / "none" / "report.html")])
    assert refused.exit_code == 1
    with pytest.raises(InputError, match="choose another file"):
        write(records, tmp_path / "none" / "report.html")


@pytest.fixture
def opened(records, tmp_path):
    """Opens the report in a headless browser, with more JavaScript at its end: the page then, and console lines."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on PATH")

    def open_with(script=""):
        file = tmp_path / "report.html"
        write(records, file)
        page = file.read_text(encoding="utf-8")
        file.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", "--dump-dom",
             f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()],
            capture_output=True, text=True, check=True, timeout=600,
        )  # fmt: skip
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return open_with


@pytest.mark.slow
def test_a_browser_opens_the_report_without_errors(opened):
    page, console = opened()
    assert console == []
    assert HOSTILE in "".join(Tags(page).texts)
    assert "12 of 12 queries" in page
    assert page.count('class="copy"') == 2


@pytest.mark.slow
def test_a_browser_tells_errors_and_refuses_requests(opened):
    _, console = opened(
        "document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'})); nonsense()"
    )
    assert any("nonsense is not defined" in line for line in console)
    assert any("Content Security Policy" in line for line in console)


@pytest.mark.slow
def test_the_table_of_queries_is_sorted_and_filtered(opened):
    page, console = opened(
        "document.querySelectorAll('#all th button')[3].click();"
        "const moved = document.getElementById('moved'); moved.value = 'changed';"
        "moved.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    assert console == []
    assert "3 of 12 queries" in page
    assert 'aria-sort="descending"' in page
    body = page[page.index('<table id="all"') :]
    order = re.findall(r'<tr( hidden="")?>.*?<td class="right moved[^"]*">([^<]+)</td>', body, re.S)
    assert [float(value) for _, value in order] == [1.0, *[0.0] * 9, -1.0, -1.0]
    assert [bool(hidden) for hidden, _ in order] == [False, *[True] * 9, False, False]
