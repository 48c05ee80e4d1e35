"""A run record goes through its file unchanged, and anything else is refused in one line."""

import json

import pytest

from evals.record import RecordedQuery, RunRecord
from rag.errors import InputError

RECORD = RunRecord(
    dataset="colours",
    digest="00ff",
    folder="data/colours",
    task="mixed",
    queries=(RecordedQuery("q1", "réd", type="colour"), RecordedQuery("q2", image="images/a.png", filter="page = 1")),
    qrels={"q1": {"a": 1}, "q2": {"b": 2}},
    ranking={"q1": (("a", 0.1), ("b", -1.5)), "q2": ()},
    scores={"q1": {"nDCG@10": 1.0}, "q2": {"nDCG@10": 0.0}},
    metrics={"nDCG@10": 0.5},
    slices={"type=colour": {"nDCG@10": 1.0}},
    settings={"k": 100, "versions": {"python": "3.11"}},
    seconds={"index": 0.5, "p95": 0.1},
    index={"points": 2, "bytes": 10},
    created_at="2026-01-01T00:00:00+00:00",
)


def test_a_record_read_back_is_the_record_written(tmp_path):
    RECORD.save(tmp_path / "run.json")
    assert RunRecord.load(tmp_path / "run.json") == RECORD


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 0}', '{"format": 1}', '{"format": 1, "queries": [{"nothing": 1}]}', "\ufffd"]
)
def test_what_is_no_record_is_refused_in_one_line_that_names_the_file(tmp_path, text):
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"run\.json") as caught:
        RunRecord.load(tmp_path / "run.json")
    assert "\n" not in str(caught.value)


def test_unknown_fields_are_refused():
    with pytest.raises(InputError, match="colour"):
        RunRecord.from_json({**json.loads(json.dumps(RECORD.to_json())), "colour": 1})


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        RunRecord.load(tmp_path / "gone.json")
    with pytest.raises(InputError, match="cannot be written"):
        RECORD.save(tmp_path)
