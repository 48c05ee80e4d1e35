"""Hits grouped by document."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.ranking import Group
from tests.rankings import ASKED, ids, node, rankings, require_explained


def document(hit):
    return hit.node.ref_doc_id or hit.node.metadata["source"]


@given(rankings(), st.integers(1, 3))
def test_each_document_has_its_best_hits_and_lists_the_rest(ranking, most):
    """At most `most` a document, the best of it, every other listed once; grouping again changes nothing."""
    grouped = Group(most)(ranking, ASKED)
    require_explained(grouped)
    assert max(Counter(map(document, grouped)).values(), default=0) <= most
    for name in {document(hit) for hit in ranking}:
        of = [hit.node_id for hit in ranking if document(hit) == name]
        kept = [hit for hit in grouped if document(hit) == name]
        assert ids(kept) == of[:most]
        assert [folded.id for hit in kept for folded in hit.grouped] == of[most:]
    assert Group(most)(grouped, ASKED) == grouped


def test_a_node_of_no_document_is_a_document_of_its_own():
    """Nodes without document and source are never folded into one another."""
    ranking = [node(1, 2.0), node(2, 1.0)]
    assert Group()(ranking, ASKED) == ranking


def test_less_than_one_hit_a_document_is_refused():
    """A group of nothing is an error in one line."""
    with pytest.raises(InputError, match="0 hits a document; allowed: 1 or more"):
        Group(0)
