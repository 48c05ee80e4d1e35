"""Runs are compared only over the same data and queries; a planted fall is found, noise is not; tables tell both."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from evals.compare import compare, read
from evals.gate import gate
from evals.record import RecordedQuery, RunRecord
from evals.tables import change_lines, comparison_latex, comparison_lines, comparison_markdown
from rag.cli import cli
from rag.errors import InputError

MEASURES = ("nDCG@10", "R@10")


def record(values, queries=None, **more):
    """A run whose two measures have the values given, one a query."""
    ids = queries or [f"q{number:03}" for number in range(len(values))]
    scores = {id_: dict.fromkeys(MEASURES, float(value)) for id_, value in zip(ids, values, strict=True)}
    return RunRecord(
        dataset="colours",
        digest="d" * 64,
        folder="colours",
        task="words",
        queries=tuple(RecordedQuery(id_, f"which colour is {id_}?") for id_ in ids),
        qrels={id_: {"p:red": 1, "p:blue": 0} for id_ in ids},
        ranking={id_: (("p:red", 1.0), ("p:green", 0.5)) if scores[id_]["R@10"] else () for id_ in ids},
        scores=scores,
        metrics=dict.fromkeys(MEASURES, float(np.mean(values))),
        **more,
    )


def noise(seed, count=60, mean=0.6):
    return np.clip(np.random.default_rng(seed).normal(mean, 0.2, count), 0, 1)


@pytest.fixture
def files(tmp_path):
    """Three runs over the same queries: a baseline, one that fell, and one that differs by chance."""
    base = noise(0)
    fell = np.where(np.arange(60) % 3 == 0, 0.0, base)
    jitter = np.clip(base + np.random.default_rng(1).normal(0, 0.02, 60), 0, 1)
    paths = []
    for name, values in {"base": base, "fell": fell, "jitter": jitter}.items():
        paths.append(tmp_path / f"{name}.json")
        record(values).save(paths[-1])
    return [str(path) for path in paths]


def triptych(*arguments):
    return CliRunner().invoke(cli, list(arguments))


def test_a_comparison_holds_means_differences_and_the_queries_that_changed():
    found = compare({"a": record([0.5, 0.5, 1, 0]), "b": record([0.5, 1, 0, 0.25])}, ["nDCG@10"], most=1)
    difference = found.of("b", "nDCG@10")
    assert found.means == {"a": {"nDCG@10": 0.5}, "b": {"nDCG@10": 0.4375}}
    assert difference.difference == pytest.approx(-0.0625)
    assert (difference.wins, difference.losses, difference.ties) == (2, 1, 1)
    assert difference.low <= difference.difference <= difference.high
    gained, lost = found.changes["b"]
    assert [(change.query.id, change.difference) for change in gained + lost] == [("q001", 0.5), ("q002", -1.0)]
    assert lost[0].baseline_top == ("p:red", "p:green")
    assert lost[0].top == ()
    assert lost[0].relevant == ("p:red",)


def test_a_run_compared_with_itself_has_p_1_and_nothing_changed():
    same = record(noise(0))
    found = compare({"a": same, "b": same})
    assert {(d.p, d.corrected, d.difference, d.low, d.high) for d in found.differences} == {(1, 1, 0, 0, 0)}
    assert found.changes == {"b": ((), ())}


def test_the_p_values_are_corrected_over_all_runs_and_measures():
    records = {name: record(noise(seed)) for seed, name in enumerate("abcd")}
    found = compare(records)
    assert len(found.differences) == 6
    lowest = min(found.differences, key=lambda difference: difference.p)
    assert lowest.corrected == pytest.approx(min(1, 6 * lowest.p))


def test_the_order_of_the_queries_in_a_file_does_not_matter():
    values, other = noise(0), noise(5)
    ids = [f"q{number:03}" for number in range(60)]
    turned = record(other[::-1], ids[::-1])
    assert compare({"a": record(values), "b": record(other)}) == compare({"a": record(values), "b": turned})


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            {"digest": "e" * 64},
            "a is a run of colours, task words, digest dddddddddddd and b of colours, task words, dig",
        ),
        ({"task": "pictures"}, "b of colours, task pictures"),
        ({"dataset": "sounds"}, "b of sounds"),
        ({"queries": (RecordedQuery("q000"),)}, "a was asked 60 queries, b 1, 1 of them the same"),
    ],
)
def test_runs_over_other_data_or_queries_are_refused_with_both_named(other, told):
    base = record(noise(0))
    with pytest.raises(InputError, match=told):
        compare({"a": base, "b": replace(base, **other)})


def test_a_measure_that_a_run_lacks_is_refused_with_those_that_all_have():
    base = record(noise(0))
    with pytest.raises(InputError, match=r"b has no measure 'R@10'; all runs have: nDCG@10"):
        compare({"a": base, "b": replace(base, metrics={"nDCG@10": 0.5})}, ["R@10"])


def test_a_measure_may_be_named_as_eval_run_takes_it():
    base = record(noise(0))
    assert compare({"a": base, "b": base}, ["recall@10,nDCG@10"]).measures == ("R@10", "nDCG@10")
    with pytest.raises(InputError, match="nonsense"):
        compare({"a": base, "b": base}, ["nonsense"])


def test_files_of_the_same_name_are_told_apart_by_their_folders(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        record(noise(0)).save(tmp_path / folder / "run.json")
    names = list(read([tmp_path / "one" / "run.json", tmp_path / "two" / "run.json"]))
    assert [name[-7:] for name in names] == ["one/run", "two/run"]
    assert len(read([tmp_path / "one" / "run.json"] * 2)) == 2


def test_the_tables_tell_the_same_numbers():
    found = compare({"base_1": record(noise(0)), "b|2": record(np.maximum(noise(0) - 0.1, 0))}, ["nDCG@10"])
    terminal, markdown, latex = "\n".join(comparison_lines(found)), comparison_markdown(found), comparison_latex(found)
    mean = f"{found.means['b|2']['nDCG@10']:.4f}"
    for text in (terminal, markdown, latex):
        assert mean in text
        assert "60 queries" in text
    assert "**" in terminal
    assert "b\\|2" in markdown
    assert "\\*\\*" in markdown
    assert r"base\_1" in latex
    assert r"\toprule" in latex
    assert rf"{mean}\textsuperscript{{**}}" in latex
    widths = {line.count("|") - line.count("\\|") for line in markdown.splitlines() if line.startswith("|")}
    assert widths == {12}


def test_the_changed_queries_are_shown_with_what_both_runs_found():
    found = compare({"a": record([0.5, 0.5, 1]), "b": record([0.5, 0, 1])})
    told = "\n".join(change_lines(found))
    assert "b: lost most by nDCG@10" in told
    assert "-0.500  0.500 → 0.000  q001" in told
    assert "which colour is q001?" in told
    assert "a: ✓p:red, p:green" in told
    assert "b: nothing" in told
    assert "gained" not in told


def test_a_planted_fall_closes_the_gate_and_noise_does_not(files):
    base, fell, jitter = files
    refused = triptych("eval", "gate", base, fell)
    assert refused.exit_code == 1
    assert refused.output.startswith("nDCG@10 fell: base 0.")
    assert len(refused.output.splitlines()) == 1
    assert triptych("eval", "gate", base, jitter).exit_code == 0
    assert triptych("eval", "gate", fell, base).exit_code == 0
    assert triptych("eval", "gate", base, fell, "--tolerance", "0.5").exit_code == 0
    document = json.loads(triptych("eval", "gate", base, fell, "--measure", "R@10", "--json").output)
    assert document["passed"] is False
    assert document["falls"] == ["R@10"]


def test_the_gate_judges_samples_by_the_queries_they_have_in_common():
    values = noise(0)
    ids = [f"q{number:03}" for number in range(60)]
    half, other = record(values[:40], ids[:40]), record(values[20:], ids[20:])
    verdict = gate({"a": half, "b": other})
    assert verdict.passed
    assert len(verdict.comparison.queries) == 20
    assert verdict.left_out == 40
    with pytest.raises(InputError, match="a and b have 5 queries in common; the gate judges by at least 10"):
        gate({"a": record(values[:25], ids[:25]), "b": other})


def test_noise_closes_the_gate_no_more_often_than_alpha_allows():
    base = noise(0, 40)
    draws = [np.clip(base + np.random.default_rng(seed).normal(0, 0.1, 40), 0, 1) for seed in range(1, 61)]
    closed = sum(not gate({"a": record(base), "b": record(values)}).passed for values in draws)
    assert closed <= 5


def test_compare_prints_a_table_markdown_latex_and_json(files):
    table = triptych("eval", "compare", *files)
    assert table.exit_code == 0
    assert "fell: lost most by nDCG@10" in table.output
    assert triptych("eval", "compare", *files, "--markdown").output.count("\n|") == 2 + 2 * 3
    assert r"\begin{table}" in triptych("eval", "compare", *files, "--latex").output
    document = json.loads(triptych("eval", "compare", *files, "--measure", "R@10", "--most", "1", "--json").output)
    assert document["measures"] == ["R@10"]
    assert [difference["run"] for difference in document["differences"]] == ["fell", "jitter"]
    assert len(document["changes"]["fell"]["lost"]) == 1
    assert triptych("eval", "compare", files[0]).exit_code == 2


def test_a_file_that_is_no_record_is_refused_in_one_line(tmp_path, files):
    (tmp_path / "no.json").write_text("{}")
    refused = triptych("eval", "compare", files[0], str(tmp_path / "no.json"))
    assert refused.exit_code == 1
    assert "no.json" in refused.output
