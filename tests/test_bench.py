"""The measurements are commands; their forms are tested, their times are not."""

import json

import pytest
from click.testing import CliRunner

from rag.cli import cli

JOBS = ("one leg", "one leg, retrieved", "fused", "fused with filter", "fused with filter, folded")
MEASURED = {f"{name} {p}" for name in JOBS for p in ("p50", "p95")}


@pytest.mark.parametrize(
    ("arguments", "what", "names"),
    [
        (["start", "--runs", "1"], "seconds", {"triptych --help", "triptych search"}),
        (
            ["encode", "--encoder", "fake", "--runs", "1"],
            "per_second",
            {"texts", "texts one by one", "pictures", "pictures one by one"},
        ),
        (["search", "--runs", "1"], "milliseconds", {"p50", "p95"}),
        (["search", "--points", "120", "--questions", "2"], "milliseconds", MEASURED),
        (["search", "--points", "120", "--questions", "2"], "recall@10", {"image", "caption", "text", "fused"}),
        (["ingest", "--encoder", "fake"], "per_second", {"files", "pages", "pictures", "nodes"}),
    ],
)
def test_a_benchmark_measures_what_it_names(arguments, what, names):
    done = CliRunner().invoke(cli, ["bench", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)[what]
    assert set(measured) == names
    assert all(value > 0 for value in measured.values())


def test_so_many_small_files_are_made_and_ingested():
    done = CliRunner().invoke(cli, ["bench", "ingest", "--files", "3", "--encoder", "fake", "--json"])
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)
    assert (measured["files"], measured["nodes"], measured["pictures"]) == (3, 3, 0)
    assert set(measured["seconds"]) == {"first", "again"}
