"""Measures are trec_eval's, ties and unanswered queries included, and their names tell them apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics import MEASURES, aggregate, deepest, measures, per_query, ranked, read_run, write_run
from rag.errors import InputError

QRELS = {"q1": {"a": 2, "b": 1, "c": 0, "z": 1}, "q2": {"d": 1}, "q3": {"e": 1}}
RUN = {"q1": {"x": 9.0, "a": 5.0, "b": 5.0, "c": 5.0, "y": 1.0}, "q2": {"x": 0.5, "d": 0.5}}

# Frozen: trec_eval, as pytrec_eval-terrier 0.5.11 carries it, on QRELS and RUN above. The order of q1 is
# x c b a y: documents of equal scores stand in the reverse order of their names.
TREC_EVAL = {
    "q1": {
        "ndcg_cut_3": 0.15969697161989949,
        "ndcg_cut_5": 0.4348079399079101,
        "recall_3": 1 / 3,
        "success_3": 1.0,
        "P_5": 0.4,
        "map": 0.27777777777777773,
        "recip_rank": 1 / 3,
        "Rprec": 1 / 3,
    },
    "q2": {"ndcg_cut_3": 0.6309297535714575, "map": 0.5, "recip_rank": 0.5, "Rprec": 0.0, "success_1": 0.0},
}
OURS = {
    "nDCG@3": "ndcg_cut_3",
    "nDCG@5": "ndcg_cut_5",
    "R@3": "recall_3",
    "hit@3": "success_3",
    "hit@1": "success_1",
    "P@5": "P_5",
    "AP": "map",
    "RR@10": "recip_rank",
    "Rprec": "Rprec",
}


def test_values_are_those_of_trec_eval_ties_included():
    scores = per_query(QRELS, RUN, tuple(OURS))
    for query, frozen in TREC_EVAL.items():
        for ours, theirs in OURS.items():
            if theirs in frozen:
                assert scores[query][ours] == pytest.approx(frozen[theirs], abs=1e-9), (query, ours)


def test_values_worked_out_by_hand():
    """q1 in order: x c b a y, of which c is judged and not relevant, z never found."""
    scores = per_query(QRELS, RUN, ("nDCG@5", "R@5", "hit@1", "P@5", "AP", "Rprec", "Judged@5"))["q1"]
    ideal = 2 + 1 / np.log2(3) + 1 / 2
    assert scores["nDCG@5"] == pytest.approx((1 / np.log2(4) + 2 / np.log2(5)) / ideal)
    assert scores["R@5"] == pytest.approx(2 / 3)
    assert scores["AP"] == pytest.approx((1 / 3 + 2 / 4) / 3)
    assert scores["Rprec"] == pytest.approx(1 / 3)
    assert (scores["hit@1"], scores["P@5"], scores["Judged@5"]) == (0, 0.4, 0.6)


def test_recall_is_a_share_and_hit_is_all_or_nothing():
    scores = per_query({"q": {"a": 1, "b": 1, "c": 1, "d": 1}}, {"q": {"a": 1.0}}, measures("recall@1,hit@1"))
    assert scores["q"] == {"R@1": 0.25, "hit@1": 1.0}


def test_a_query_without_hits_counts_as_zero_in_every_measure():
    scores = per_query(QRELS, {**RUN, "q3": {}}, ("nDCG@10", "Judged@10", "AP"))
    assert scores["q3"] == {"nDCG@10": 0, "Judged@10": 0, "AP": 0}
    assert aggregate(scores)["AP"] == pytest.approx((scores["q1"]["AP"] + 0.5) / 3)
    assert per_query(QRELS, {}, ("AP",)) == {query: {"AP": 0} for query in QRELS}


def test_a_hit_for_a_query_that_nobody_judged_changes_nothing():
    assert per_query(QRELS, {**RUN, "q9": {"a": 1.0}}) == per_query(QRELS, RUN)


grades = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), min_size=1).filter(lambda g: any(g.values()))
hits = st.dictionaries(st.sampled_from("abcdefghij"), st.sampled_from([0.0, 0.1, 0.1 + 1e-12, 0.5, -1.0]), min_size=1)


@given(st.dictionaries(st.sampled_from(["q1", "q2"]), grades, min_size=1), hits, hits)
def test_every_measure_equals_trec_evals_for_any_ranking_with_ties(qrels, first, second):
    import pytrec_eval

    run = {"q1": first, "q2": second}
    names = {"nDCG@3": "ndcg_cut_3", "R@3": "recall_3", "hit@3": "success_3", "P@3": "P_3", "AP": "map",
             "Rprec": "Rprec", "RR": "recip_rank"}  # fmt: skip
    wanted = pytrec_eval.RelevanceEvaluator(qrels, set(names.values())).evaluate(run)
    scores = per_query(qrels, run, (*names, "RR@20"))
    for query, values in wanted.items():
        assert [scores[query][ours] for ours in names] == pytest.approx([values[theirs] for theirs in names.values()])
        assert scores[query]["RR@20"] == pytest.approx(values["recip_rank"])


def test_names_are_told_apart_and_aliases_lead_to_one_name():
    assert measures() == measures("") == MEASURES
    assert measures("recall@10, R@10,ndcg@5,MAP,mrr@10,Success@1,rprec") == (
        "R@10",
        "nDCG@5",
        "AP",
        "RR@10",
        "hit@1",
        "Rprec",
    )  # fmt: skip
    assert (deepest(("AP", "R@100", "P@5")), deepest(("AP",))) == (100, 0)


@pytest.mark.parametrize("name", ["nothing", "R", "hit", "P@0", "Rprec@5", "nDCG@", "R@-1", "R@1.5"])
def test_an_unknown_measure_is_refused_with_those_there_are(name):
    with pytest.raises(InputError, match=r"nDCG@k, R@k \(recall\), hit@k"):
        measures(name)


def test_a_run_file_read_back_ranks_as_trec_eval_would(tmp_path):
    run = {"q 1": {"a": 0.5, "b c": 0.5, "d": 2.0}}
    write_run(tmp_path / "run", run)
    lines = [line.split()[:4] for line in (tmp_path / "run").read_text().splitlines()]
    assert lines == [["q%201", "Q0", "d", "1"], ["q%201", "Q0", "b%20c", "2"], ["q%201", "Q0", "a", "3"]]
    assert read_run(tmp_path / "run") == {"q%201": {"d": 2.0, "b%20c": 0.5, "a": 0.5}}
    assert [document for document, _ in ranked(run["q 1"])] == ["d", "b c", "a"]


@pytest.mark.parametrize("line", ["q Q0 d", "q Q0 d 1 high t", "q Q0 d 1 1 t\nq Q0 d 2 0 t", "q Q0 d 1 nan t"])
def test_what_is_no_run_is_refused_and_the_line_named(tmp_path, line):
    (tmp_path / "run").write_text(line)
    with pytest.raises(InputError, match=r"line [12]"):
        read_run(tmp_path / "run")
